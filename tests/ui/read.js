/** Reads reports and traces from disk, for the tests. */
import { readFile } from "node:fs/promises";
import { load } from "../../ui/web/load.js";

/**
 * @param {string} html
 * @returns {string} the text of its data block
 */
export function dataBlock(html) {
  const begin = '<script type="application/octet-stream" id="trace">';
  const at = html.lastIndexOf(begin);
  const end = html.indexOf("</script>", at);
  return html.slice(at + begin.length, end < 0 ? undefined : end);
}

/**
 * @param {string} file
 * @returns {Promise<import("../../ui/web/trace.js").Trace>}
 */
export async function readReport(file) {
  return load(dataBlock(await readFile(file, "utf8")));
}
