/**
 * The same page in Firefox: opens without a sound, moves, answers why, shows every pane.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { report } from "./browser.js";
import { firefox } from "./firefox.js";

const program = process.env["KC_FIREFOX"] ?? "";
const skip = program === "" ? "there is no Firefox (Debian: firefox-esr)" : false;

/** Waits for what was asked for to be drawn. */
const drawn = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))";

test("in Firefox", { skip }, async () => {
    const file = await report("basics/g14-failover-with-a-dead-leader.yaml");
    const page = await firefox(program);
    try {
        await page.open(`file://${file}#t=19s&pane=machines`);
        await page.evaluate(
            "new Promise((done) => { const look = () => document.documentElement.dataset.ready ? done(1) : setTimeout(look, 10); look(); })",
        );
        assert.equal(await page.evaluate("document.documentElement.dataset.ready"), "1");
        assert.ok((await page.evaluate("document.querySelectorAll('.chart .token').length")) >= 4);
        await page.evaluate("document.querySelector(\"[data-key='leader of t-0']\").click()");
        await page.evaluate(drawn);
        assert.match(await page.evaluate("document.querySelector('ol.chain').textContent"), /kill 1/);
        for (const pane of [
            "why",
            "machines",
            "zookeeper",
            "queues",
            "record",
            "clients",
            "verdict",
            "logs",
            "words",
        ]) {
            await page.evaluate(`(app.show("${pane}"), app.step(1))`);
            await page.evaluate(drawn);
            assert.ok((await page.evaluate("document.getElementById('pane').textContent.length")) > 20, pane);
        }
        await page.evaluate("document.querySelector(\"[data-key='term ISR']\").click()");
        assert.equal(await page.evaluate("document.getElementById('gloss').matches(':popover-open')"), true);
        assert.deepEqual(page.heard, []);
    } finally {
        await page.end();
    }
});
