/**
 * The rule for what learners type, which the tool has, too (sim/lesson.h, sim_lesson_same_answer; both are held to
 * tests/sim/lesson_answers.tsv).
 *
 * Two texts are the same answer where they are equal but for blanks, case (A-Z) and a full stop at the end, or where both
 * name the same records, in whatever order and pieces: "p1#3..5, p2#1", "P1#3-4 p1#5 p2#1".
 */

/** @typedef {{producer: number, first: number, last: number}} Range neighbouring records of one producer */

const range = /^p(\d{1,9})#(\d{1,9})(?:[.-]+(?:p(\d{1,9})#)?(\d{1,9}))?/;

/**
 * @param {string} a
 * @param {string} b
 */
export function sameAnswer(a, b) {
    const [x, y] = [plain(a), plain(b)];
    return withoutBlanks(x) === withoutBlanks(y) || sameRecords(x, y);
}

/** @param {string} text */
function plain(text) {
    return text
        .replace(/[A-Z]/g, (letter) => letter.toLowerCase())
        .replace(/^[ \t-\r]+/, "")
        .replace(/[ \t-\r]*\.?[ \t-\r]*$/, "");
}

/** @param {string} text */
function withoutBlanks(text) {
    return text.replace(/[ \t-\r]/g, "");
}

/** @param {string} a @param {string} b */
function sameRecords(a, b) {
    const [x, y] = [recordsOf(a), recordsOf(b)];
    return x !== null && y !== null && JSON.stringify(x) === JSON.stringify(y);
}

/**
 * @param {string} text
 * @returns {Range[] | null} sorted, and what touches joined; null: it is no list of records
 */
function recordsOf(text) {
    if (text === "none" || text === "nothing") return [];
    /** @type {Range[]} */
    const ranges = [];
    for (let rest = text; rest !== ""; ) {
        const found = range.exec(rest);
        if (found === null) return null;
        const [whole, producer, first, again, last = first] = found;
        if (Number(last) < Number(first) || (again !== undefined && Number(again) !== Number(producer))) return null;
        ranges.push({ producer: Number(producer), first: Number(first), last: Number(last) });
        rest = rest.slice(whole.length).replace(/^[, ]+/, "");
    }
    return ranges.length > 0 ? joined(ranges) : null;
}

/** @param {Range[]} ranges */
function joined(ranges) {
    /** @type {Range[]} */
    const kept = [];
    for (const one of ranges.sort((a, b) => a.producer - b.producer || a.first - b.first)) {
        const last = kept[kept.length - 1];
        if (last !== undefined && last.producer === one.producer && one.first <= last.last + 1)
            last.last = Math.max(last.last, one.last);
        else kept.push(one);
    }
    return kept;
}
