/**
 * The panes of the right column, in the order in which they are shown: two that are always there, then the tabs.
 */
import beliefs from "./panes/beliefs.js";
import clients from "./panes/clients.js";
import logs from "./panes/logs.js";
import machines from "./panes/machines.js";
import partitions from "./panes/partitions.js";
import queues from "./panes/queues.js";
import record from "./panes/record.js";
import verdict from "./panes/verdict.js";
import why from "./panes/why.js";
import words from "./panes/words.js";
import zookeeper from "./panes/zookeeper.js";

/** @typedef {import("./column.js").Pane} Pane */

/** @type {Pane[]} */
export const panes = [partitions, beliefs, why, machines, zookeeper, queues, record, clients, verdict, logs, words];
