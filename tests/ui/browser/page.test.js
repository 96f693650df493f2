/**
 * The page as a whole: opens without a sound in every size and both themes, moves by mouse and by keys alone, opens links at
 * the moment that they name, prints, and says what is wrong with a file that is damaged.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { calm, frames, moment, open, press, report, scratch, tell, until } from "./browser.js";

const mark = 'id="trace">'; // what follows is the trace
const failover = report("basics/g14-failover-with-a-dead-leader.yaml");

for (const dark of [false, true]) {
    for (const width of [360, 800, 1440]) {
        test(`opens calmly at ${width} px, ${dark ? "dark" : "light"}`, async () => {
            const page = await open(failover, "#t=8.0195s", { width, height: 800, dark });
            assert.equal(await page.evaluate(() => document.documentElement.dataset["ready"]), "1");
            const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(wider <= 0, `the page is ${wider} px too wide`);
            assert.equal(await page.locator("#problem").isVisible(), false);
            await calm(page);
        });
    }
}

test("the buttons of the bar move the moment", async () => {
    const page = await open(failover);
    const start = await moment(page);
    for (const what of ["forth", "fault", "change", "refusal"]) {
        const before = await moment(page);
        await page.locator(`[data-do=${what}]`).click();
        await frames(page);
        assert.ok((await moment(page)) > before, what);
    }
    const before = await moment(page);
    await page.locator("[data-do=back]").click();
    assert.ok((await moment(page)) < before);
    await page.locator("[data-do=first]").click();
    assert.ok((await moment(page)) <= start);
    assert.notEqual(await page.locator("#sentence").textContent(), "");
    await calm(page);
});

test("it plays, and pauses", async () => {
    const page = await open(failover, "#e=1");
    await page.locator("[data-do=play]").click();
    await until(page, "app.n > 3 && app.playing");
    await page.locator("[data-do=play]").click();
    assert.equal(await page.evaluate("app.playing"), false);
    await calm(page);
});

test("a click in the diagram is a moment, two ask why; the wheel scrolls without moving it", async () => {
    const page = await open(failover, "#t=8.0195s");
    const box = await page.locator("#rows").boundingBox();
    const n = await moment(page);
    await page.mouse.move(box.x + 300, box.y + 150);
    await page.mouse.wheel(0, 700);
    await until(page, "document.getElementById('rows').scrollTop > 0");
    assert.equal(await moment(page), n);
    await page.mouse.click(box.x + 300, box.y + 40);
    assert.notEqual(await moment(page), n);
    await page.mouse.dblclick(box.x + 300, box.y + 200);
    await until(page, "app.why !== null");
    await calm(page);
});

test("the strip is a slider: drag and keys", async () => {
    const page = await open(failover);
    const strip = page.locator("#strip-canvas");
    const box = await strip.boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 30);
    await page.mouse.down();
    const early = await moment(page);
    await page.mouse.move(box.x + box.width * 0.8, box.y + 30, { steps: 4 });
    await page.mouse.up();
    assert.ok((await moment(page)) > early);
    await frames(page);
    assert.equal(await strip.getAttribute("aria-valuenow"), String(await moment(page)));
    assert.notEqual(await strip.getAttribute("aria-valuetext"), "");
    await page.locator("#axis-button").click();
    assert.equal(await page.locator("#axis-button").getAttribute("aria-pressed"), "true");
    await calm(page);
});

test("keys alone: steps, jumps, detail, table, theme of the moment", async () => {
    const page = await open(failover, "#e=1");
    await press(page, "f");
    assert.ok(await page.evaluate("app.model.isFault(app.n)"));
    await press(page, "]");
    assert.ok(await page.evaluate("app.model.isChange(app.n)"));
    await press(page, "x");
    assert.ok(await page.evaluate("app.model.refused(app.n)"));
    const there = await moment(page);
    await press(page, "ArrowRight", "ArrowLeft");
    assert.equal(await moment(page), there);
    await press(page, "End");
    assert.equal(await moment(page), await page.evaluate("app.trace.count"));
    await press(page, "Home");
    assert.ok((await moment(page)) <= 3);
    await press(page, "d", "d");
    assert.equal(await page.evaluate("app.level"), 2);
    await press(page, "t");
    assert.ok(await page.locator("#table").isVisible());
    assert.ok((await page.locator("#table tbody tr").count()) > 20);
    await press(page, "t", "+", "-", "0");
    await press(page, "?");
    assert.ok(await page.evaluate(() => document.querySelector("#help[open]") !== null));
    await press(page, "Escape");
    assert.equal(await page.evaluate(() => document.querySelector("#help[open]") !== null), false);
    await calm(page);
});

test("every button can be reached with Tab, and shows that it has the focus", async () => {
    const page = await open(failover, "#t=8.0195s");
    const wanted = await page.evaluate(
        () =>
            [...document.querySelectorAll("button, select, input, summary, [tabindex='0']")].filter(
                (e) => e instanceof HTMLElement && e.checkVisibility() && e.tabIndex >= 0 && !e.matches(":disabled"),
            ).length,
    );
    await page.evaluate(() => /** @type {HTMLElement} */ (document.activeElement)?.blur());
    const seen = new Set();
    for (let i = 0; i < wanted * 1.5 + 10; i++) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
            const e = document.activeElement;
            if (!(e instanceof HTMLElement) || e === document.body) return null;
            if (getComputedStyle(e).outlineStyle === "none") return `no outline: ${e.outerHTML.slice(0, 120)}`;
            e.dataset["reached"] ??= String(document.querySelectorAll("[data-reached]").length);
            return e.dataset["reached"];
        });
        if (at === null && seen.size > 0) break;
        assert.ok(at === null || !at.startsWith("no outline"), String(at));
        seen.add(at);
    }
    const missed = await page.evaluate(() =>
        [...document.querySelectorAll("button, select, input, summary")]
            .filter((e) => e instanceof HTMLElement && e.checkVisibility() && e.tabIndex >= 0)
            .filter((e) => !e.matches(":disabled, [data-reached]"))
            .map((e) => e.outerHTML.slice(0, 160)),
    );
    assert.deepEqual(missed, [], `${seen.size} of ${wanted} reached`);
    await calm(page);
});

test("search finds, and goes from one to the next", async () => {
    const page = await open(failover, "#e=1");
    await press(page, "/");
    await page.keyboard.type("elects");
    await until(page, "/[1-9]/.test(document.getElementById('found').textContent)");
    await press(page, "Enter");
    assert.match(String(await page.locator("#sentence").textContent()), /elects/);
    await press(page, "Escape");
    await calm(page);
});

test("a link opens at its moment, its question, its pane, its level", async () => {
    const first = await open(failover, "#t=8.0195s&lv=1&pane=zookeeper");
    assert.equal(await first.evaluate("app.pane"), "zookeeper");
    assert.equal(await first.evaluate("app.level"), 1);
    assert.equal(await first.evaluate("app.trace.t(app.n) <= 8019500 && app.trace.t(app.n) > 8000000"), true);
    await tell(first, "app.ask('leader of t-0')");
    const n = await moment(first);
    await until(first, "location.hash.includes('why=')");
    const link = await first.evaluate(() => location.hash);
    await calm(first);
    const second = await open(failover, link);
    assert.equal(await moment(second), n);
    assert.match(String(await second.locator("#pane h2").textContent()), /Why is leader of t-0 = /);
    await calm(second);
    const third = await open(failover, "#e=99999999&pane=nothing&why=nothing&lv=7&t=x");
    assert.equal(await third.evaluate("app.n <= app.trace.count"), true);
    await calm(third);
});

test("paper: the story as a table, no buttons of the page", async () => {
    const page = await open(failover, "#t=8.0195s", { dark: true });
    await page.emulateMedia({ media: "print" });
    await page.evaluate(() => window.dispatchEvent(new Event("beforeprint")));
    assert.ok((await page.locator("#print tr").count()) > 10);
    assert.equal(await page.locator(".tools").first().isVisible(), false);
    assert.ok((await page.pdf()).length > 10000);
    await calm(page);
});

test("reduced motion: nothing moves by itself", async () => {
    const page = await open(failover, "#t=8s", { still: true });
    const moving = await page.evaluate(() => document.getAnimations().length);
    assert.equal(moving, 0);
    await calm(page);
});

test("a file whose end is torn off opens as far as it goes, and says so", async () => {
    const html = await readFile(await report("clients/a-transform-writes-each-record-once.yaml"), "utf8");
    const at = html.lastIndexOf(mark) + mark.length;
    const file = scratch("torn.html");
    await writeFile(file, html.slice(0, at + Math.floor((html.length - at) * 0.6)));
    const page = await open(file);
    assert.equal(await page.locator("#problem").isVisible(), true);
    assert.match(String(await page.locator("#problem").textContent()), /damaged|ends early/);
    assert.ok((await page.evaluate("app.trace.count")) > 100);
    await press(page, "End", "Home", "f");
    await calm(page);
});

test("a page whose data is nothing says so in a sentence", async () => {
    const html = await readFile(await failover, "utf8");
    const at = html.lastIndexOf(mark) + mark.length;
    const file = scratch("foreign.html");
    await writeFile(file, `${html.slice(0, at)}bm90IGEgdHJhY2U=</script></body></html>`);
    const page = await open(file);
    assert.equal(await page.evaluate(() => document.documentElement.dataset["ready"]), "failed");
    assert.ok(String(await page.locator("#problem").textContent()).length > 20);
    await page.context().close();
});

test("without script: what happened, as tables", async () => {
    const html = await readFile(await failover, "utf8");
    assert.match(html, /<noscript>[\s\S]*kill[\s\S]*<\/noscript>/);
});
