/**
 * Every pane: what it shows is what the trace says at the moment, and each of its buttons does what it promises.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { calm, frames, moment, open, press, report, tell } from "./browser.js";

const failover = report("basics/g14-failover-with-a-dead-leader.yaml");
const clients = report("clients/an-unclean-election-loses-exactly-these.yaml");
const transform = report("clients/a-transform-writes-each-record-once.yaml");
const zombie = report("defects/KAFKA-6082-on.yaml");
const refusing = report("deletion/why-ineligible-and-not-offline.yaml");

/** @param {any} page @param {string} selector */
async function texts(page, selector) {
    return (await page.locator(selector).allTextContents()).map((/** @type {string} */ text) => text.trim());
}

test("partitions: ZooKeeper's values, the change boxed with the old value struck out", async () => {
    const page = await open(failover, "#e=1");
    const at = await page.evaluate(`(() => { const h = app.facts.history("zn:/brokers/topics/t/partitions/0/state");
        for (let i = 1; i < h.count; i++) if (JSON.parse(h.value(i).data).leader === 2) return h.n(i); return 0; })()`);
    assert.ok(at > 0);
    await tell(page, `app.reveal(${at})`);
    const leader = page.locator("#pane-partitions [data-key='leader of t-0']");
    assert.match(String(await leader.getAttribute("class")), /changed/);
    assert.equal(await leader.locator("s").textContent(), "none");
    assert.equal(await page.evaluate("app.model.partitions(app.n)[0].leader"), 2);
    await calm(page);
});

test("partitions: filter and pages where there are many, focus stays in the field", async () => {
    const page = await open(transform, "#t=12.0495s");
    await page.locator("#partition-filter").click();
    await page.keyboard.type("consumer_offsets-4");
    await frames(page);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "partition-filter");
    assert.equal(await page.locator("#partition-filter").inputValue(), "consumer_offsets-4");
    const rows = await texts(page, "#pane-partitions tbody th");
    assert.ok(
        rows.every((/** @type {string} */ row) => row.includes("consumer_offsets-4")),
        rows.join(),
    );
    await page.getByRole("button", { name: "next partitions" }).click();
    await frames(page);
    assert.notDeepEqual(await texts(page, "#pane-partitions tbody th"), rows);
    await calm(page);
});

test("beliefs: a zombie believes to be the controller, and it is marked", async () => {
    const page = await open(zombie, "#t=8.5s");
    assert.deepEqual(await page.evaluate("app.model.active(app.n)"), [1, 2]);
    const first = page.locator("#pane-beliefs [data-key='bel.1.ctl']");
    assert.match(String(await first.textContent()), /1 \(I am\)/);
    assert.match(String(await first.getAttribute("class")), /differs/);
    assert.doesNotMatch(
        String(await page.locator("#pane-beliefs [data-key='bel.2.ctl']").getAttribute("class")),
        /differs/,
    );
    await page.locator("#belief-each").click();
    await frames(page);
    assert.equal(await page.locator("#belief-each").getAttribute("aria-pressed"), "true");
    for (const aspect of ["leader epoch", "ISR", "log end, high watermark", "leader"]) {
        await page.locator("#belief-aspect").selectOption(aspect);
        await frames(page);
    }
    await calm(page);
});

test("beliefs: the memory of a dead broker is gone, its log is not", async () => {
    const page = await open(clients, "#e=1");
    await press(page, "f", "ArrowRight");
    const dead = await page.evaluate("app.model.nodes.find((node) => app.model.node(node.id, app.n) === 'down')?.id");
    assert.ok(dead > 0);
    assert.equal(await page.locator(`#pane-beliefs [data-key='bel.${dead}.ctl']`).count(), 0);
    await page.locator("#belief-aspect").selectOption("log end, high watermark");
    await frames(page);
    const end = page.locator(`#pane-beliefs [data-key^='b.${dead}.'][data-key$='.leo']`);
    assert.ok((await end.count()) > 0);
    await calm(page);
});

test("why: from a value to the fault; steps fold; a click goes there", async () => {
    const page = await open(failover, "#t=19s");
    await page.locator("#pane-partitions [data-key='leader of t-0']").click();
    await frames(page);
    assert.match(String(await page.locator("#pane h2").textContent()), /Why is leader of t-0 = 2\?/);
    assert.ok((await page.locator("ol.chain .candidates tbody tr").count()) > 0);
    assert.match(String(await page.locator("ol.chain li.root").textContent()), /kill 1[\s\S]*Here it began/);
    assert.match(String(await page.locator("ol.chain").textContent()), /because nothing came/);
    const fold = page.locator("ol.chain .fold").first();
    const before = await page.locator("ol.chain > li").count();
    await fold.click();
    await frames(page);
    assert.ok((await page.locator("ol.chain > li").count()) > before);
    await page.locator("ol.chain li.root .step").click();
    await frames(page);
    assert.ok(await page.evaluate("app.model.isFault(app.n)"));
    await page.getByRole("button", { name: "Close this chain" }).click();
    assert.equal(await page.evaluate("app.why"), null);
    await calm(page);
});

test("why with the keyboard alone", async () => {
    const page = await open(failover, "#t=19s");
    await page.locator("#pane-partitions [data-key='isr of t-0']").focus();
    await press(page, "Enter");
    assert.equal(await page.evaluate("app.why.text"), "isr of t-0");
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute("data-key")), "isr of t-0");
    await press(page, "Escape");
    assert.equal(await page.evaluate("app.why"), null);
    await press(page, "w");
    assert.equal(await page.evaluate("app.why.n === app.n"), true);
    await calm(page);
});

test("tabs: a key each, arrows go round", async () => {
    const page = await open(failover, "#t=19s");
    for (const key of ["2", "3", "4", "5", "6", "7", "8", "9", "1"]) {
        await press(page, key);
        const chosen = page.locator("[role=tab][aria-selected=true]");
        assert.equal(await chosen.count(), 1);
        assert.ok(String(await page.locator("#pane").textContent()).length > 20, `pane ${key}`);
    }
    await page.locator("[role=tab][aria-selected=true]").focus();
    await press(page, "ArrowRight");
    assert.equal(await page.evaluate("app.pane"), "machines");
    await press(page, "ArrowLeft", "ArrowLeft");
    assert.equal(await page.evaluate("app.pane"), "words");
    await calm(page);
});

test("state machines: a token for each, in the state that the controller has", async () => {
    const page = await open(failover, "#t=19s&pane=machines");
    const tokens = page.locator(".chart .token");
    for (const token of await tokens.all()) {
        const key = await token.getAttribute("data-key");
        const state = await page.evaluate(`app.facts.value(${JSON.stringify(key)}, app.n)`);
        assert.match(
            String(await token.evaluate((/** @type {any} */ e) => e.closest(".state").title)),
            new RegExp(`^${state}:`),
        );
    }
    assert.ok((await tokens.count()) >= 4);
    const arrows = await page.locator(".chart g.legal").count();
    const moves = await page.evaluate(
        "app.trace.tables.machines.partition.moves.length + app.trace.tables.machines.replica.moves.length",
    );
    assert.equal(arrows, moves);
    await page.locator("[data-key='machines of 3']").click();
    await frames(page);
    assert.equal(await tokens.count(), 0);
    await page.locator("[data-key='machines of 3']").click();
    await frames(page);
    await tokens.first().click();
    await frames(page);
    assert.equal(await page.evaluate("app.pane"), "why");
    await calm(page);
});

test("state machines: the move of a step is drawn, many tokens are counted", async () => {
    const page = await open(failover, "#e=1&pane=machines&lv=2");
    const n = await page.evaluate(
        "[...app.trace.ofKind('move')].find((n) => app.trace.field(n, 'direct') === undefined && app.trace.field(n, 'from') !== app.trace.field(n, 'to'))",
    );
    await tell(page, `app.reveal(${n})`);
    assert.ok((await page.locator(".chart g.taken").count()) > 0);
    assert.ok((await page.locator(".moves-of-step li").count()) > 0);
    await calm(page);
    const many = await open(transform, "#t=30s&pane=machines");
    const count = many.locator(".chart .fold").first();
    await count.click();
    await frames(many);
    assert.ok((await many.locator(".token-list .token").count()) > 10);
    await calm(many);
});

test("state machines: a refused move is a dashed edge with a cross, and moves no token", async () => {
    const page = await open(refusing, "#e=1&pane=machines&lv=2");
    const n = await page.evaluate(
        "[...app.trace.ofKind('move')].find((n) => app.trace.field(n, 'ok') === 0 && app.trace.field(n, 'machine') === 'replica')",
    );
    const { from, to, at, partition, replica } = await page.evaluate(`app.trace.record(${n})`);
    await tell(page, `app.reveal(${n})`);
    const edge = page.locator(".chart g.refused");
    assert.equal(await edge.count(), 1);
    assert.equal(await edge.locator("title").textContent(), `${from} → ${to}`);
    assert.equal(await edge.locator("path.cross").count(), 1);
    const style = (/** @type {string} */ path) =>
        edge
            .locator(path)
            .evaluate((/** @type {any} */ e) => [getComputedStyle(e).strokeDasharray, getComputedStyle(e).stroke]);
    const [dash, color] = await style(".line");
    assert.notEqual(dash, "none");
    assert.deepEqual(await style(".cross"), ["none", color]);
    const legal = page.locator(".chart g.legal").filter({ hasText: `${from} → ${to}` });
    assert.equal(await legal.count(), 0); // so there is no edge below it
    const ends = await page.evaluate(
        (/** @type {string[]} */ states) => {
            const box = (/** @type {Element | null | undefined} */ e) =>
                /** @type {Element} */ (e).getBoundingClientRect();
            const line = box(document.querySelector(".chart g.refused .line"));
            const chart = document.querySelector(".chart g.refused")?.closest(".chart");
            return states.map((state) => {
                const b = box(chart?.querySelector(`.state[title^="${state}:"]`));
                const near = 24; // the tip, and where the line leaves the box
                return (
                    line.left <= b.right + near &&
                    line.right >= b.left - near &&
                    line.top <= b.bottom + near &&
                    line.bottom >= b.top - near
                );
            });
        },
        [from, to],
    );
    assert.deepEqual(ends, [true, true], "the edge touches both states");
    assert.equal(await page.evaluate(`app.facts.value('rs.${at.slice(1)}.${partition}.${replica}', app.n)`), from);
    assert.match((await texts(page, ".moves-of-step li.bad")).join(), /✕ .*refuses to move replica/);
    await tell(page, `app.reveal(${n - 1})`);
    assert.equal(await page.locator(".chart g.refused").count(), 0);
    await calm(page);
});

test("ZooKeeper: the tree of the moment, unfolds, tells all of a znode", async () => {
    const page = await open(failover, "#t=19s&pane=zookeeper");
    const epoch = page.locator("[data-key='znode /controller_epoch']");
    await epoch.click();
    await frames(page);
    const data = await page.evaluate("app.facts.value('zn:/controller_epoch', app.n).data");
    assert.equal(await page.locator(".znode pre").textContent(), data);
    const fold = page.locator("[data-key='turn /brokers']");
    const before = await page.locator(".tree li").count();
    await fold.click();
    await frames(page);
    assert.ok((await page.locator(".tree li").count()) < before);
    assert.equal(await fold.getAttribute("aria-expanded"), "false");
    assert.match(
        String(await page.locator(".tree li:has([data-key='znode /controller'])").textContent()),
        /ephemeral, broker 2/,
    );
    await calm(page);
});

test("queues: as many wait as the depth says; a request waits for its followers", async () => {
    const page = await open(clients, "#e=1&pane=queues&lv=2");
    const deep = await page.evaluate(
        "[...app.trace.ofKind('queue')].reduce((best, n) => app.trace.field(n, 'depth') > app.trace.field(best, 'depth') ? n : best)",
    );
    await tell(page, `app.reveal(${deep})`);
    const depth = await page.evaluate(`app.trace.field(${deep}, 'depth')`);
    const id = await page.evaluate(`app.trace.at(${deep}).slice(1)`);
    const row = page.locator("#pane tbody tr").nth(Number(id) - 1);
    assert.equal(await row.locator(".events li").count(), Math.min(depth, 13));
    const wait = await page.evaluate("app.trace.ofKind('wait')[0]");
    await tell(page, `app.reveal(${wait})`);
    assert.equal(await page.locator(`#pane [data-record='${wait}']`).count(), 1);
    await calm(page);
});

test("record: its fields, its links; they lead there", async () => {
    const page = await open(failover, "#t=19s&pane=record");
    const n = await moment(page);
    assert.match(String(await page.locator("#pane h2").textContent()), new RegExp(`Record ${n}`));
    const cause = await page.evaluate("app.trace.by(app.n)");
    await page.locator(`#pane [data-record='${cause}']`).first().click();
    await frames(page);
    assert.equal(await moment(page), cause);
    assert.ok((await page.locator(`#pane .refs [data-record='${n}'], #pane [data-record]`).count()) > 0);
    await calm(page);
});

test("clients: what they were told; what logs lost", async () => {
    const page = await open(clients, "#e=1&pane=clients");
    await press(page, "End");
    const acked = await page.evaluate("app.facts.value('p.1.acked', app.n)");
    assert.equal(await page.locator("[data-key='p.1.acked']").textContent(), String(acked));
    assert.match(String(await page.locator("#pane [aria-label='Cut from logs']").textContent()), /broker/);
    await calm(page);
});

test("verdict: every expectation, every violated check with its defect", async () => {
    const page = await open(zombie, "#pane=verdict");
    assert.equal(await page.locator(".expectations li").count(), await page.evaluate("app.trace.meta.expect.length"));
    assert.match(String(await page.locator("#pane").textContent()), /memory-returned[\s\S]*KAFKA-6082/);
    await page.locator("#pane [aria-label='Checks violated'] [data-record]").first().click();
    await frames(page);
    assert.ok(await page.evaluate("app.model.isViolation(app.n)"));
    await calm(page);
});

test("logs: the lines up to the moment, of one log, of one node", async () => {
    const page = await open(failover, "#t=19s&pane=logs");
    const all = await page.locator(".log li").count();
    assert.ok(all > 10);
    await page.locator("#log-stream").selectOption("state-change");
    await page.locator("#log-node").selectOption("2");
    await frames(page);
    const lines = await texts(page, ".log li");
    assert.ok(lines.length > 0);
    assert.ok(lines.every((/** @type {string} */ line) => / [cb]2 /.test(line)));
    await page.locator(".log li button").first().click();
    await frames(page);
    assert.equal(await page.evaluate("app.trace.kind(app.n)"), "log");
    await calm(page);
});

test("words: a gloss where the word stands, and all of them in a pane", async () => {
    const page = await open(failover, "#t=19s");
    await page.locator("#pane-partitions [data-key='term ISR']").click();
    assert.ok(await page.locator("#gloss").isVisible());
    assert.match(String(await page.locator("#gloss").textContent()), /In-sync replicas/);
    await press(page, "Escape");
    assert.equal(await page.locator("#gloss").isVisible(), false);
    await page.locator("#pane-partitions [data-key='term ISR']").click();
    await page.getByRole("button", { name: "all words" }).click();
    await frames(page);
    assert.ok((await page.locator(".words dt").count()) >= 60);
    await page.locator("#word-filter").click();
    await page.keyboard.type("zombie");
    await frames(page);
    assert.equal((await page.locator(".words dt").count()) < 10, true);
    await calm(page);
});
