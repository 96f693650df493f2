/**
 * Lessons on the page: the learner cannot pass a stop without an answer, an answer counts once, and what may be seen
 * never ends before what was seen. Then the real lessons: their answers, as the tool wrote them, are right here, too.
 */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { sameAnswer } from "../../ui/web/answers.js";
import { Lesson, stopsOf } from "../../ui/web/lesson.js";
import { root, withRun } from "./read.js";

const stops = [
    {
        record: 3,
        say: "begin",
        ask: "who?",
        choices: [
            { say: "1", value: "1" },
            { say: "2", value: "2" },
        ],
        answer: { value: "2", id: 1, record: 9 },
    },
    { record: 5, say: "only told" },
    { record: 12, ask: "which records are lost?", choices: [], answer: { value: "a, b", id: -1, record: 20 } },
];

test("a stop is passed by an answer, and by nothing else", () => {
    const lesson = new Lesson(stops);
    assert.equal(lesson.limit(), 3);
    lesson.go();
    assert.equal(lesson.at, 0);
    assert.equal(lesson.answer(2), null);
    assert.equal(lesson.answer("2"), null);
    assert.deepEqual(lesson.answer(0), { right: false, said: "1" });
    assert.equal(lesson.answer(1), null, "an answer counts once");
    lesson.go();
    assert.equal(lesson.at, 1);
    assert.equal(lesson.limit(), 5);
    lesson.go();
    assert.equal(lesson.limit(), 12);
    assert.deepEqual(lesson.answer(" A ,B. "), { right: true, said: " A ,B. " });
    lesson.go();
    assert.equal(lesson.over, true);
    assert.equal(lesson.limit(), Infinity);
    assert.deepEqual(lesson.score(), { questions: 2, right: 1 });
});

test("what an explanation has shown stays open", () => {
    const lesson = new Lesson(stops);
    lesson.answer(1);
    lesson.open(9);
    assert.equal(lesson.limit(), 9);
    lesson.go();
    assert.equal(lesson.limit(), 9);
});

test("what is typed is judged as the tool judges it", () => {
    const lines = readFileSync(`${root}/tests/sim/lesson_answers.tsv`, "utf8").trimEnd().split("\n");
    const cases = lines.filter((line) => !line.startsWith("#")).map((line) => line.split("\t"));
    assert.ok(cases.length > 30);
    for (const [answer, typed, same] of cases) {
        assert.equal(sameAnswer(typed, answer), same === "yes", `${typed} for ${answer}`);
        assert.equal(sameAnswer(answer, typed), same === "yes", `${answer} for ${typed}`);
    }
});

const folder = "scenarios/lessons";
for (const name of readdirSync(`${root}/${folder}`)
    .filter((one) => one.endsWith(".yaml"))
    .sort()) {
    test(`${name}: its right answers are right`, () =>
        withRun(`${folder}/${name}`, ({ trace }) => {
            const lesson = new Lesson(stopsOf(trace.meta));
            while (!lesson.over) {
                const { answer, choices = [] } = lesson.stop;
                if (answer !== undefined)
                    assert.equal(
                        lesson.answer(choices.length > 0 ? answer.id : answer.value)?.right,
                        true,
                        lesson.stop.ask,
                    );
                lesson.go();
            }
            const { right, questions } = lesson.score();
            assert.equal(right, questions);
            assert.ok(questions > 0);
        }));
}
