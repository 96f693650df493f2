/**
 * What a record made of znodes, in words, as sim/narrate_znode.c says them. The table of them is in every page
 * (trace.tables.znodes: [{path, list, say}…]); here is only what reads it.
 *
 * Of the JSON in a znode only strings, whole numbers and lists of these have words; -1 and an empty list are "none".
 * Items of an object come in ascending order of their keys.
 */
/** @typedef {import("./trace.js").Value} Value */
/** @typedef {{path: string, list: string, say: string}} ZnodeRow */

const mostShown = 4; // znodes of a record, items of a list
const mostBytes = 300; // of a template that is filled; a longer one is left out
const utf8 = new TextEncoder();

/** @param {any} value @returns {string | undefined} */
function inWords(value) {
    if (typeof value === "string") return value;
    if (typeof value === "number") return !Number.isSafeInteger(value) ? undefined : value === -1 ? "none" : `${value}`;
    if (!Array.isArray(value)) return undefined;
    if (value.length === 0) return "none";
    const items = value.map((item) => (Array.isArray(item) ? undefined : inWords(item)));
    return items.includes(undefined) ? undefined : items.join(",");
}

/** @param {any} item @param {string | null} key of an object that is walked @param {string} name @returns {string | undefined} */
function memberInWords(item, key, name) {
    if (key !== null && name === "key") return key;
    if (name === "" || (key !== null && name === "value")) return inWords(item);
    const isObject = item !== null && typeof item === "object" && !Array.isArray(item);
    return isObject && Object.hasOwn(item, name) ? inWords(item[name]) : undefined;
}

/** @param {string} say @param {any} item @param {string | null} key @returns {string | undefined} */
function fill(say, item, key) {
    let complete = true;
    const text = say.replace(/\{(\w*)\}/g, (_, name) => {
        const words = memberInWords(item, key, name);
        complete &&= words !== undefined;
        return words ?? "";
    });
    return complete && utf8.encode(text).length <= mostBytes ? text : undefined;
}

/** Numbers as numbers, before words. @param {string} x @param {string} y @returns {number} */
function byKey(x, y) {
    const [isX, isY] = [/^[0-9]*$/.test(x), /^[0-9]*$/.test(y)];
    if (isX !== isY) return isX ? -1 : 1;
    if (isX && x.length !== y.length) return x.length - y.length;
    return x < y ? -1 : x > y ? 1 : 0;
}

/** @param {string} say @param {any} list @returns {string[]} */
function itemsInWords(say, list) {
    if (list === null || typeof list !== "object") return [];
    const keys = Array.isArray(list) ? list.map((_, i) => i) : Object.keys(list).sort(byKey);
    const shown = keys.slice(0, mostShown).map((key) => fill(say, list[key], typeof key === "string" ? key : null));
    const parts = shown.flatMap((part) => part ?? []);
    if (keys.length > mostShown) parts.push(`and ${keys.length - mostShown} more`);
    return parts;
}

/** @param {string} pattern `*` is one segment @param {string} path @returns {boolean} */
function fits(pattern, path) {
    const wanted = pattern.split("/");
    const there = path.split("/");
    return (
        wanted.length === there.length &&
        wanted.every((segment, i) => (segment === "*" ? there[i] !== "" : segment === there[i]))
    );
}

/**
 * @param {string} path
 * @param {any} data of the znode
 * @param {ZnodeRow[]} rows
 * @returns {string} what is in it; "" where nothing has words
 */
export function dataInWords(path, data, rows) {
    const mine = rows.filter((row) => fits(row.path, path));
    if (mine.length === 0 || typeof data !== "string") return "";
    let json;
    try {
        json = JSON.parse(data);
    } catch {
        return "";
    }
    const isObject = json !== null && typeof json === "object";
    return mine
        .flatMap(({ list, say }) => {
            if (list !== "") return isObject && Object.hasOwn(json, list) ? itemsInWords(say, json[list]) : [];
            return fill(say, json, null) ?? [];
        })
        .join(", ");
}

/** @param {string} path @param {any} znode @param {ZnodeRow[]} rows @returns {string} */
function znodeInWords(path, znode, rows) {
    if (znode === null || typeof znode !== "object" || Array.isArray(znode)) return `deletes ${path}`;
    const isNew = znode.czxid > 0 ? znode.czxid === znode.mzxid : znode.version === 0;
    const data = dataInWords(path, znode.data, rows);
    const version = znode.version >= 0 ? ` (version ${znode.version})` : "";
    return `${isNew ? "creates" : "writes"} ${path}${data === "" ? "" : `: ${data}`}${version}`;
}

/**
 * @param {[string, Value][]} sets facts that the record set
 * @param {ZnodeRow[]} rows
 * @returns {string} each path once, as it was left; "" where there is none
 */
export function znodesInWords(sets, rows) {
    const znodes = sets.filter(([key]) => key.startsWith("zn:"));
    const words = [];
    let count = 0;
    znodes.forEach(([key, value], i) => {
        if (count < mostShown && znodes.slice(i + 1).some(([later]) => later === key)) return;
        if (count++ < mostShown) words.push(znodeInWords(key.slice(3), value, rows));
    });
    if (count > mostShown) words.push(`and ${count - mostShown} more`);
    return words.join("; ");
}
