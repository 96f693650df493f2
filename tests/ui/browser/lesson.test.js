/**
 * A lesson on the page: it stands still at its stops, hides what comes, takes one answer by mouse or key, explains it, and
 * opens the whole run at its end.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, calm, frames, moment, open, press, report, until } from "./browser.js";

const first = report("lessons/01-one-znode-one-controller.yaml");
const asks = "document.querySelector('#lesson .question:not([disabled])') !== null";

/**
 * Answers the question of this stop with the right choice, by its letter.
 *
 * @param {import("./browser.js").Page} page
 * @param {number} stop
 */
async function answer(page, stop) {
    const id = await page.evaluate(`app.trace.meta.lesson[${stop}].answer?.id ?? -1`);
    if (id < 0) return;
    await until(page, asks);
    await press(page, "abcdefgh"[id]);
    assert.equal(await page.locator("#lesson p.right").count(), 1, `stop ${stop}`);
}

test("nobody gets past a stop without an answer", async () => {
    const page = await open(first);
    const stops = await page.evaluate("app.trace.meta.lesson.map((stop) => stop.record)");
    assert.equal(await page.evaluate("app.last()"), stops[0]);
    await press(page, "End", "ArrowRight", "PageDown", "f", "Enter");
    assert.equal(await moment(page), stops[0]);
    assert.equal(await page.locator("#verdict").isVisible(), false);
    await page.locator("#search").fill("finish");
    await press(page, "Enter");
    assert.equal(await moment(page), stops[0], "the search shows what comes");
    await calm(page);
});

test("keys alone: all answers right, then the whole run is open", async () => {
    const page = await open(first);
    const count = await page.evaluate("app.trace.meta.lesson.length");
    for (let stop = 0; stop < count; stop++) {
        await until(page, `app.n >= app.trace.meta.lesson[${stop}].record`);
        await answer(page, stop);
        const straight = page.getByRole("button", { name: "Straight to the next stop" });
        if (stop + 1 < count) await straight.press("Enter");
        else await page.getByRole("button", { name: "Finish" }).press("Enter");
        await frames(page);
    }
    const said = await page.locator("#lesson").textContent();
    const [, right, of] = /: (\d+) of (\d+) right/.exec(said ?? "") ?? [];
    assert.ok(Number(of) > 3, said);
    assert.equal(right, of);
    assert.equal(await page.evaluate("app.last() === app.trace.count"), true);
    await until(page, "!document.getElementById('verdict').hidden");
    await calm(page);
});

test("a wrong answer counts once, and says which was right", async () => {
    const page = await open(first);
    const right = await page.evaluate("app.trace.meta.lesson[0].answer.id");
    await page
        .locator("#lesson .choice")
        .nth(right === 0 ? 1 : 0)
        .click();
    assert.match((await page.locator("#lesson p.wrong").textContent()) ?? "", /^✗ No/);
    await press(page, "abcdefgh"[right]);
    assert.equal(await page.locator("#lesson p.right").count(), 0);
    const show = page.locator("#lesson .explanation .buttons button", { hasText: "Show me" }).first();
    await show.click();
    await until(page, "app.why !== null");
    await calm(page);
});

test("it plays on to the next stop, and stands still there", async () => {
    const page = await open(first);
    await answer(page, 0);
    await press(page, "Enter");
    await until(page, "app.playing");
    await page.locator("#lesson", { hasText: "On the way" }).waitFor();
    await page.getByRole("button", { name: "Straight there" }).click();
    await until(page, asks);
    await calm(page);
});

test("the lesson can be left, and taken up again", async () => {
    const page = await open(first);
    await page.locator("#lesson-button").click();
    assert.equal(await page.evaluate("app.last() === app.trace.count"), true);
    await page.locator("#lesson-button").click();
    assert.ok((await page.evaluate("app.last()")) < (await page.evaluate("app.trace.count")));
    await calm(page);
});

for (const dark of [false, true]) {
    for (const width of [360, 1440]) {
        test(`a question is accessible at ${width} px, ${dark ? "dark" : "light"}`, async () => {
            const page = await open(first, "", { width, height: 800, dark });
            await page.evaluate(axe);
            for (const answered of [false, true]) {
                if (answered) await answer(page, 0);
                const found = await page.evaluate(
                    "axe.run('#lesson').then((r) => r.violations.map((v) => `${v.impact} ${v.id}`))",
                );
                assert.deepEqual(
                    found.filter((/** @type {string} */ one) => /^(serious|critical)/.test(one)),
                    [],
                );
            }
            const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert.ok(wider <= 0, `the page is ${wider} px too wide`);
            await calm(page);
        });
    }
}
