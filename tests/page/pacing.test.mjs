/** The pace at which text appears: even for any bursts, and never far behind. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FRAME_MS, Pacer, endOfWord } from "../../shared/page/pacing.js";

/** Play arrivals ([ms, characters]). Return how much each frame shows, and when everything was shown. */
function play(arrivals, endMs) {
  const pacer = new Pacer();
  const steps = [];
  let received = 0;
  let shown = 0;
  let next = 0;
  for (let now = 0; now < 60_000; now += FRAME_MS) {
    while (next < arrivals.length && arrivals[next][0] <= now) {
      received += arrivals[next][1];
      pacer.arrive(received, arrivals[next][0]);
      next += 1;
    }
    if (now >= endMs) pacer.end();
    const length = pacer.advance(now);
    steps.push({ now, grown: length - shown, behind: received - length });
    shown = length;
    if (now >= endMs && pacer.isIdle) return { steps, shown, received, doneMs: now };
  }
  throw new Error("it never ended");
}

const every = (gap, size, count) => Array.from({ length: count }, (_, number) => [number * gap, size]);

test("the first character is shown with the first frame", () => {
  assert.ok(play([[0, 500]], 2000).steps[0].grown >= 1);
});

test("bursts appear evenly once their rhythm is known", () => {
  const { steps } = play(every(400, 200, 15), 6000);
  const settled = steps.filter(({ now }) => now > 2000 && now < 5600).map(({ grown }) => grown);
  const even = (200 / 400) * FRAME_MS;
  assert.ok(Math.max(...settled) < even * 2.5, `most ${Math.max(...settled)}, even would be ${even}`);
  assert.ok(settled.filter((grown) => grown === 0).length < settled.length * 0.25, "few frames show nothing new");
});

test("a stream of single tokens is as even as it arrived, and hardly late", () => {
  const { steps } = play(every(20, 4, 200), 4000);
  assert.ok(Math.max(...steps.map(({ behind }) => behind)) < 100);
  assert.ok(Math.max(...steps.map(({ grown }) => grown)) < 20);
});

test("a larger backlog is shown faster: nothing waits much longer than a second and a half", () => {
  const { steps } = play([[0, 10], [100, 50_000]], 20_000);
  const caughtUp = steps.find(({ now, behind }) => now > 150 && behind === 0);
  assert.ok(caughtUp.now < 1800, `${caughtUp.now} ms`);
});

test("the backlog at the end is shown within a second", () => {
  for (const size of [20, 2000, 200_000]) assert.ok(play([[0, size]], 50).doneMs < 1000, `${size} characters`);
});

test("everything is shown in the end, and never more than was received", () => {
  const { steps, shown, received } = play(every(37, 13, 50), 2000);
  assert.equal(shown, received);
  assert.ok(steps.every(({ grown, behind }) => grown >= 0 && behind >= 0));
});

test("a pause after the last word, which is shown ahead of time, does not make the next burst jump", () => {
  const pacer = new Pacer();
  pacer.arrive(140, 0);
  let now = 0;
  while (pacer.advance(now) < 120) now += FRAME_MS;
  pacer.catchUp();
  assert.ok(pacer.isIdle);
  pacer.arrive(280, now + 2000);
  const grown = pacer.advance(now + 2000 + FRAME_MS) - 140;
  assert.ok(grown > 0 && grown < 40, `${grown} of 140 in one frame`);
});

test("words do not appear in parts unless very long, and a surrogate pair is never split", () => {
  assert.equal(endOfWord("one two", 1), 3);
  assert.equal(endOfWord("one two", 5), 7);
  assert.equal(endOfWord("one two", 0), 0);
  assert.equal(endOfWord("a".repeat(100), 10), 10);
  assert.equal(endOfWord("\u{1f324}".repeat(50), 11), 12);
});
