/**
 * How long a report takes to open, without a browser: node bench/ui/open.js REPORT…
 * Prints the least of nine runs of each part, in ms.
 */
import { readFileSync, statSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { Facts } from "../../ui/web/facts.js";
import { load } from "../../ui/web/load.js";
import { Model } from "../../ui/web/model.js";
import { sentence } from "../../ui/web/narrate.js";

const RUNS = 9;

/** @param {string} file */
function dataOf(file) {
  const html = readFileSync(file, "utf8");
  const mark = 'id="trace">';
  return html.slice(
    html.lastIndexOf(mark) + mark.length,
    html.lastIndexOf("</script>"),
  );
}

/** @param {string} file */
async function measure(file) {
  const text = dataOf(file);
  const least = {
    load: Infinity,
    facts: Infinity,
    model: Infinity,
    all: Infinity,
    bands: Infinity,
    moment: Infinity,
  };
  let count = 0;
  let first = 0;
  for (let i = 0; i < RUNS; i++) {
    const times = [performance.now()];
    const mark = () => times.push(performance.now());
    const trace = await load(text);
    mark();
    const facts = new Facts(trace);
    mark();
    const model = new Model(trace, facts);
    mark();
    void model.bands;
    mark();
    for (let k = 1; k <= 100; k++) {
      const n = Math.ceil((k / 100) * trace.count);
      model.partitions(n);
      sentence(trace, n);
    }
    mark();
    const [begin, loaded, indexed, modelled, banded, moved] = times;
    least.load = Math.min(least.load, loaded - begin);
    least.facts = Math.min(least.facts, indexed - loaded);
    least.model = Math.min(least.model, modelled - indexed);
    least.all = Math.min(least.all, modelled - begin);
    least.bands = Math.min(least.bands, banded - modelled);
    least.moment = Math.min(least.moment, (moved - banded) / 100);
    count = trace.count;
    if (i === 0) first = modelled - begin;
  }
  const size = statSync(file).size;
  const shown = Object.entries(least).map(
    ([name, ms]) => `${name} ${ms.toFixed(name === "moment" ? 3 : 1)}`,
  );
  console.log(
    `${count} records, ${(size / 1e6).toFixed(2)} MB, ${(text.length / count).toFixed(1)} B a record; ms: first ${first.toFixed(1)}, ${shown.join(", ")}`,
  );
}

for (const file of process.argv.slice(2)) await measure(file);
