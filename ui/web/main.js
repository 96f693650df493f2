/**
 * The page: loads the trace that is in it, then shows it.
 */
import { load } from "./load.js";
import { Facts } from "./facts.js";
import { Model } from "./model.js";
import { sentence } from "./narrate.js";

async function start() {
  const page = /** @type {HTMLElement} */ (document.getElementById("page"));
  const text = document.getElementById("trace")?.textContent ?? "";
  try {
    const trace = await load(text);
    const facts = new Facts(trace);
    const model = new Model(trace, facts);
    const title = document.createElement("h1");
    title.textContent = String(trace.meta.title ?? "A run");
    const count = document.createElement("p");
    count.textContent = `${trace.count} records; ${facts.keys("").length} facts; ${model.brokers.length} brokers. ${sentence(trace, trace.count)}. ${trace.problem}`;
    page.append(title, count);
  } catch (problem) {
    page.textContent = `${/** @type {any} */ (problem).message}`;
  }
}

start();
