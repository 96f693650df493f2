/** @typedef {import("./app.js").App} App */

/** @param {App} app */
export function mountDiagram(app) {
    void app;
}
