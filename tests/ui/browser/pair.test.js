/**
 * The page of two runs: opens at the first difference without a sound, moves both at once, says why on either side, links to a
 * moment, and is fit for keys, phones and screen readers.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { branch, calm, findings, frames, open, press, tell, until } from "./browser.js";

const file = branch("basics/g05-a-leader-dies.yaml", "--at", "6.4s", "--add", "kill: 3");
const now =
    "({row: pair.row, first: pair.rows.first, side: pair.side, n: pair.apps.map((app) => app.n), level: pair.level})";

/** @param {any} page @returns {Promise<{row: number, first: number, side: number, n: number[], level: number}>} */
const where = (page) => page.evaluate(now);

for (const dark of [false, true]) {
    for (const width of [360, 800, 1440]) {
        test(`two runs open calmly at ${width} px, ${dark ? "dark" : "light"}`, async () => {
            const page = await open(file, "", { width, height: 900, dark });
            const { row, first, side } = await where(page);
            assert.equal(row, first);
            assert.equal(side, 1); // where the first difference is
            const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(wider <= 0, `the page is ${wider} px too wide`);
            assert.match(await page.locator("tr.here").innerText(), /kill 3/);
            assert.deepEqual(await findings(page), []);
            await tell(page, "document.getElementById('help').showModal()");
            assert.deepEqual(await findings(page), [], "help");
            await calm(page);
        });
    }
}

test("every pane of either side has nothing serious", async () => {
    const page = await open(file, "#t=20.01s", { width: 1440, height: 900 });
    for (const side of [0, 1]) {
        await tell(page, `pair.look(${side})`);
        for (const pane of ["why", "partitions", "beliefs", "machines", "zookeeper", "queues", "record", "logs"]) {
            await tell(page, `pair.now.show("${pane}")`);
            assert.deepEqual(await findings(page), [], `${pane} of ${side}`);
        }
    }
    await calm(page);
});

test("what is the same stands on one row, and a gap is where one has nothing", async () => {
    const page = await open(file, "", { width: 1440, height: 900 });
    const cells = await page.locator("tr.here td").allInnerTexts();
    assert.equal(cells.length, 3);
    assert.match(cells[0], /nothing/);
    assert.match(cells[2], /6\.4000.*kill 3/s);
    assert.equal(await page.locator("tr.here").getAttribute("aria-current"), "true");
    const before = page.locator("tr:has(+ tr.here) td .what, tr:has(+ tr.here) td button");
    const [left, right] = await before.allInnerTexts();
    assert.equal(left, right);
    const shown = await page.evaluate("pair.rows.at(0).shown.length + 1");
    assert.equal(await page.locator("table.story").getAttribute("aria-rowcount"), String(shown));
    await calm(page);
});

test("keys go from difference to difference, and back", async () => {
    const page = await open(file, "#e=1", { width: 1440, height: 900 });
    const rows = [];
    for (let i = 0; i < 4; i++) {
        await press(page, "n");
        const { row } = await where(page);
        assert.equal(await page.evaluate(`pair.rows.differs(${row})`), true);
        rows.push(row);
    }
    assert.deepEqual(
        rows,
        [...new Set(rows)].sort((a, b) => a - b),
    );
    assert.equal(rows[0], (await where(page)).first);
    await press(page, "N");
    assert.equal((await where(page)).row, rows[2]);
    await press(page, "g");
    assert.equal((await where(page)).row, rows[0]);
    await page.locator("[data-do=next]").click();
    await frames(page);
    assert.equal((await where(page)).row, rows[1]);
    await page.locator("#first-button").click();
    await frames(page);
    assert.equal((await where(page)).row, rows[0]);
    await calm(page);
});

test("one scrubber moves both", async () => {
    const page = await open(file, "#e=1", { width: 1440, height: 900 });
    for (const side of [0, 1]) {
        const box = await page.locator(`#strip-${side}`).boundingBox();
        await page.mouse.click(box.x + box.width * 0.6, box.y + 40);
        await frames(page);
        const { row, n, side: looked } = await where(page);
        assert.equal(looked, side);
        assert.deepEqual(n, await page.evaluate(`[pair.rows.upTo[0][${row}], pair.rows.upTo[1][${row}]]`));
        assert.ok(n[0] > 300 && n[1] > 300);
    }
    await press(page, "ArrowRight");
    await press(page, "End");
    assert.equal((await where(page)).n.length, 2);
    await page.locator("#axis-button").click();
    await frames(page);
    assert.equal(await page.locator("#axis-button").innerText(), "equal steps");
    await calm(page);
});

test("why, on either side, down to the fault", async () => {
    const page = await open(file, "", { width: 1440, height: 900 });
    await page.locator("table.ended button", { hasText: "none" }).first().click();
    await frames(page);
    assert.equal((await where(page)).side, 1);
    assert.match(await page.locator("#pane").innerText(), /Why is leader of t-0 = none\?[^]*kill 3/);
    await page.locator("table.ended tr", { hasText: "leader of t-0" }).locator("button").first().click();
    await frames(page);
    assert.equal((await where(page)).side, 0);
    assert.match(await page.locator("#pane").innerText(), /Why is leader of t-0 = 2\?/);
    await press(page, "o");
    assert.equal((await where(page)).side, 1);
    await press(page, "Escape", "g");
    await page.locator(".said.of-1 button").click();
    await frames(page);
    assert.match(await page.locator("#pane").innerText(), /Why did this happen\?[^]*kill 3/);
    await calm(page);
});

test("a click is a moment of that side; two ask why", async () => {
    const page = await open(file, "#t=20s", { width: 1440, height: 900 });
    const cell = page.locator("tr.same td.of-0 button").nth(3);
    const n = Number((await cell.getAttribute("data-cell")).split(" ")[1]);
    await cell.dblclick();
    await frames(page);
    const { n: at, side } = await where(page);
    assert.deepEqual([at[0], side], [n, 0]);
    assert.equal(await page.evaluate("pair.now.why.n"), n);
    await calm(page);
});

test("a link is the same moment, level and side", async () => {
    const page = await open(file, "#t=20.006s&lv=1&in=1", { width: 1440, height: 900 });
    const { n, side, level } = await where(page);
    assert.deepEqual([side, level], [1, 1]);
    assert.equal(await page.evaluate("pair.now.trace.t(pair.now.n) <= 20006000"), true);
    await press(page, "n");
    await until(page, "location.hash.includes('in=') || location.hash.includes('e=')");
    await until(page, "location.hash.includes('e=' + pair.now.n)");
    const again = await open(file, await page.evaluate("location.hash"), { width: 1440, height: 900 });
    assert.deepEqual(await where(again), await where(page));
    assert.notDeepEqual((await where(page)).n, n);
    await calm(page);
    await calm(again);
});

test("a narrow window has one list", async () => {
    const page = await open(file, "", { width: 360, height: 740 });
    const here = page.locator("tr.here");
    assert.equal(await here.locator("td.of-0").isVisible(), false);
    assert.equal(await here.locator("td.of-1").isVisible(), true);
    await press(page, "ArrowLeft");
    assert.equal(await here.locator("td.of-0").isVisible(), true);
    assert.equal(await here.locator("td.of-1").isVisible(), false);
    await calm(page);
});

test("scrolling does not move the moment, and only a window of rows is there", async () => {
    const page = await open(file, "#e=1&lv=2", { width: 1440, height: 900 });
    const { row } = await where(page);
    await page.mouse.move(300, 700);
    await page.mouse.wheel(0, 8000);
    await until(page, "document.getElementById('story-rows').scrollTop > 7000");
    await frames(page);
    assert.equal((await where(page)).row, row);
    const rows = await page.locator("table.story tr[data-row]").count();
    assert.ok(rows > 20 && rows < 120, `${rows} rows`);
    const place = await page.evaluate(() => {
        const view = document.getElementById("story-rows")?.getBoundingClientRect();
        const at = document.elementFromPoint(300, (view?.top ?? 0) + 200)?.closest("tr");
        return Number(at?.getAttribute("aria-rowindex"));
    });
    assert.ok(Math.abs(place - (8000 + 200 - 25) / 25) < 6, `row ${place}`);
    await calm(page);
});
