/** All tests in a browser, in one process: they share a browser and the reports. */
import { after } from "node:test";
import { end } from "./browser.js";
import "./page.test.js";
import "./panes.test.js";
import "./lesson.test.js";
import "./live.test.js";
import "./pair.test.js";
import "./axe.test.js";
import "./huge.test.js";
import "./firefox.test.js";

after(end);
