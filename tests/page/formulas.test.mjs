/** Which texts are formulas, and which only look like one. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { displayAt, formulaAt, maskFormulas, unfinishedFormula } from "../../shared/page/formulas.js";

/** The sources of all formulas in a line. */
function found(text) {
  const masked = maskFormulas(text);
  const formulas = [];
  for (let index = 0; index < text.length; index += 1) {
    const formula = formulaAt(text.slice(index), text.charAt(index - 1));
    if (formula === null) {
      if (text.startsWith("$$", index)) index += 1;
      continue;
    }
    formulas.push(formula.raw);
    index += formula.raw.length - 1;
  }
  assert.equal(masked.length, text.length);
  for (const formula of formulas) assert.ok(!masked.includes(formula), formula);
  return formulas;
}

test("the delimiters of models and of TeX enclose a formula", () => {
  assert.deepEqual(found("Let \\(a_1 * b\\) be $x^2$, then \\[ y \\] and $$z$$."), ["\\(a_1 * b\\)", "$x^2$", "\\[ y \\]", "$$z$$"]);
  assert.deepEqual(formulaAt("\\[ a \\\\ ] b \\]"), { raw: "\\[ a \\\\ ] b \\]", tex: " a \\\\ ] b ", isDisplay: true });
  assert.deepEqual(formulaAt("$a \\$ b$ c"), { raw: "$a \\$ b$", tex: "a \\$ b", isDisplay: false });
  for (const formula of ["$2$", "$2x + 1$", "$100$", "$\\text{if it is so}$", "$\\operatorname{arg max} x$", "$5 \\text{ kg and more}$", "$\\sin x$", "$n!$", "$f: A \\to B$"]) {
    assert.deepEqual(found(`it is ${formula}, is it`), [formula], formula);
  }
});

test("money, variables and escaped brackets are no formula", () => {
  for (const text of [
    "$5 and $6", "from $5 to $10, or $5-$10", "$5/$6", "costs $5 or 6$ at most", "It is $5. Then it is 3$.", "US$5 and A$6$", "$HOME/bin:$PATH", "${a} and ${b}",
    "$ 5 $", "$a $", "$ a$", "$$", "$$$$", "$", "\\$5$", "$a`b$", "`\\(` and `\\)`", "\\(\\)", "\\(a", "$1,000 bonus, $2,000 raise", "pay $20 now and $30 later$",
    "\\[link\\](https://example.com)", "$the price of it$", "A $1 is a $1",
  ]) assert.deepEqual(found(text), [], text);
});

test("a formula that stands alone takes whole lines", () => {
  assert.equal(displayAt("\\[\na\n\n+ b\n\\]\nand")?.raw, "\\[\na\n\n+ b\n\\]\n");
  assert.equal(displayAt("  $$a$$  \n\nnext")?.raw, "  $$a$$  \n\n");
  assert.equal(displayAt("$$a$$ is"), null);
  assert.equal(displayAt("    $$a$$"), null);
  assert.equal(displayAt("\\(a\\)"), null);
  assert.equal(displayAt("\\[\n```\n\\]\n```"), null);
});

test("what may become a formula is held back, and nothing else", () => {
  const held = (text) => {
    const at = unfinishedFormula(text);
    return at < 0 ? "" : text.slice(at);
  };
  for (const text of ["\\(a + ", "\\[", "\\[\na\n\n- b", "$$", "$$ a $", "$x^", "$", "\\", "$5", "$5.", "$5 "]) assert.equal(held(`So ${text}`), text, text);
  for (const text of ["$5 and", "$5 and $6 are", "US$x", "$ x", "\\(a\n\nb", "\\\\", "\\(a\\)", "`$x`", "`\\(`", "``$ ` \\(``", "\\$x", "$the price of", "$x$ and", "$a`b", "$x\ny", "\\[" + "a".repeat(6000)]) {
    assert.equal(held(`So ${text}`), "", text.slice(0, 20));
  }
});

test("a formula is recognized however it is cut, and the text before it is shown", () => {
  const text = "Then \\(a_1 + b\\) and $c$: \\[ d \\] and $$e$$ cost $5 or $6.";
  for (let end = 0; end <= text.length; end += 1) {
    const part = text.slice(0, end);
    const at = unfinishedFormula(part);
    const shown = at < 0 ? part : part.slice(0, at);
    assert.ok(!/(?<!\\)\\[([](?![^]*\\[)\]])/.test(shown), shown);
    assert.ok(at < 0 || end - at <= 12, part);
  }
});

test("long texts of delimiters are read in a moment", () => {
  const began = performance.now();
  for (const text of ["$".repeat(20_000), "\\(".repeat(20_000), "$$ ".repeat(10_000), "`$".repeat(10_000), "\\[a\\".repeat(10_000), "$a ".repeat(10_000), `${"\\[".repeat(2_000)}\\\\]`]) {
    unfinishedFormula(text);
    maskFormulas(text);
  }
  assert.ok(performance.now() - began < 20_000, `${performance.now() - began} ms`);
});
