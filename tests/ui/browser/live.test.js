/**
 * The live page: virtual time passes, things are broken from their menu or by a step that is typed, undone and saved; whoever
 * watches sees it, too.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { axe, calm, frames, moment, openAt, play, press, until } from "./browser.js";

const scenario = "basics/g05-a-leader-dies.yaml";
const caughtUp = (/** @type {string} */ records) => `app.trace.count ${records}`;

/**
 * @param {string} name
 * @param {(page: import("./browser.js").Page, url: string) => Promise<void>} what
 * @param {import("./browser.js").Look} [look]
 */
function live(name, what, look) {
    test(name, async () => {
        const { page, url, end } = await play(scenario, look);
        try {
            await what(page, url);
            await calm(page);
        } finally {
            assert.equal(await end(), 0);
        }
    });
}

live("it runs, and the moment follows the end", async (page) => {
    await page.locator("#live-next").click();
    await until(page, caughtUp("> 2"));
    await page.locator("#live-speed").selectOption("100");
    await page.locator("#live-play").click();
    await until(page, "document.getElementById('live').textContent.includes('nothing is left')");
    await until(page, caughtUp("> 900"));
    const shown = await page.evaluate("app.rows().shown[app.rows().count - 1]");
    assert.equal(await moment(page), shown);
    await press(page, "Home");
    const first = await moment(page);
    await page.locator("#live-step").fill("kill: 3");
    await press(page, "Enter");
    await until(page, "document.getElementById('live').textContent.includes('Done so far: kill: 3')");
    assert.equal(await moment(page), first, "who has gone back stays there");
});

live("a node is killed from the menu on its name, and the kill undone", async (page) => {
    await page.locator("#live-next").click();
    await until(page, caughtUp("> 2"));
    await page.locator("#lanes [data-node='2']").click();
    await page.locator("#menu li button", { hasText: "kill the process" }).click();
    await until(page, "app.model.node(2, app.trace.count) === 'down'");
    await page.locator("#live-undo").click();
    await until(page, "app.model.node(2, app.trace.count) === 'up'");
    assert.equal(await page.locator("#live-undo").isDisabled(), true);
});

live("what is wrong with a step is told with its hint, and what was typed stays", async (page) => {
    await page.locator("#live-step").fill("kil: 3");
    await press(page, "Enter");
    await page.locator("#live pre").waitFor();
    assert.match((await page.locator("#live pre").textContent()) ?? "", /did you mean 'kill'/);
    assert.equal(await page.locator("#live-step").inputValue(), "kil: 3");
});

live("by keys alone: the menu lists what can be done to a partition", async (page) => {
    await page.locator("#live-menu").press("Enter");
    await page.locator("#menu select").selectOption("t-0");
    await frames(page);
    await page.locator("#menu li button", { hasText: "delete its topic" }).press("Enter");
    await until(page, "document.getElementById('live').textContent.includes('delete-topic: t')");
});

live("two pages watch one run; what is saved has what was done", async (page, url) => {
    const other = await openAt(url, "", {}, (asked) => asked.startsWith(url));
    await page.locator("#live-step").fill("pause: 3");
    await press(page, "Enter");
    await until(other, "app.model.node(3, app.trace.count) === 'paused'");
    const text = await other.evaluate("fetch('/scenario.yaml').then((answer) => answer.text())");
    assert.match(text, /pause: 3/);
    await calm(other);
});

live(
    "it is accessible on a phone, in the dark",
    async (page) => {
        await page.evaluate(axe);
        await page.locator("#live-menu").click();
        for (const place of ["#live", "#menu"]) {
            const found = await page.evaluate(
                `axe.run('${place}').then((r) => r.violations.map((v) => v.impact + " " + v.id))`,
            );
            assert.deepEqual(
                found.filter((/** @type {string} */ one) => /^(serious|critical)/.test(one)),
                [],
            );
        }
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wider <= 0, `the page is ${wider} px too wide`);
    },
    { width: 360, height: 800, dark: true },
);
