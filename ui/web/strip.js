/** @typedef {import("./app.js").App} App */

/** @param {App} app */
export function mountStrip(app) {
    void app;
}
