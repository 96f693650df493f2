/** @typedef {import("./app.js").App} App */

/** @param {App} app */
export function mountTable(app) {
    void app;
}
