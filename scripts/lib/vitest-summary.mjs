// A reporter for vitest that writes down what a person wants to know at the end: how many, what was skipped and why, and
// what the tests measured (their annotations of the type `measured`). scripts/test.mjs prints it.
import { writeFileSync } from 'node:fs';

/**
 * @typedef {object} Summary
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {Record<string, number>} ran tests by project
 * @property {{ name: string, reason: string }[]} skips
 * @property {string[]} measured
 */

export default class SummaryReporter {
  /** @param {readonly import('vitest/node').TestModule[]} modules */
  onTestRunEnd(modules) {
    const path = process.env['HOLDFAST_TEST_SUMMARY'];
    if (path) writeFileSync(path, JSON.stringify(summarize(modules)));
  }
}

/**
 * @param {readonly import('vitest/node').TestModule[]} modules
 * @returns {Summary}
 */
function summarize(modules) {
  /** @type {Summary} */
  const summary = { passed: 0, failed: 0, skipped: 0, ran: {}, skips: [], measured: [] };
  for (const module of modules) {
    const tests = [...module.children.allTests()];
    // A file that could not be loaded has no test to show for it, and counts as a failed one.
    if (module.state() === 'failed' && !tests.some((test) => test.result().state === 'failed')) summary.failed++;
    for (const test of tests) {
      const result = test.result();
      if (result.state === 'skipped') {
        summary.skipped++;
        summary.skips.push({ name: test.fullName, reason: result.note ?? 'no reason given' });
        continue;
      }
      if (result.state === 'passed') summary.passed++;
      else summary.failed++;
      summary.ran[module.project.name] = (summary.ran[module.project.name] ?? 0) + 1;
      for (const { type, message } of test.annotations()) if (type === 'measured') summary.measured.push(message);
    }
  }
  return summary;
}
