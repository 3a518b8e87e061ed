import { relative } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';

/** What no package manager brings, so that it may be missing even where everything is required. */
const NO_PACKAGE = [/\bMODDABLE\b/, /\bESP_LWIP\b/];

/**
 * Names every test that was left out, with its reason, below vitest's own summary, and closes with one plain
 * line of counts. A test that needs root or another program skips itself with a note (`ctx.skip(note)`),
 * or says `(skipped: why)` in its title;
 * where everything is there (`REQUIRE_ALL=1`, as in `.ci/run`) leaving one out fails the run.
 */
export default class LeftOut implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    let skipped = 0;
    const reasons = new Map<string, Map<string, number>>();

    for (const module of modules) {
      // Errors of files, and of what runs before and after the tests of a suite.
      failed += module.errors().length;
      for (const suite of module.children.allSuites()) failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === 'passed') passed++;
        if (result.state === 'failed') failed++;
        if (result.state !== 'skipped') continue;
        skipped++;
        const titled = /\(skipped: (.+?)\)/.exec(test.fullName)?.[1];
        const reason = result.note ?? titled ?? `no reason given: ${test.fullName}`;
        const files = reasons.get(reason) ?? new Map<string, number>();
        reasons.set(reason, files);
        const file = relative(process.cwd(), module.moduleId);
        files.set(file, (files.get(file) ?? 0) + 1);
      }
    }

    const lines: string[] = [];
    // Somebody who picks tests by name or line has left the others out on purpose.
    const everything = this.#vitest?.config.testNamePattern === undefined;
    if (everything && skipped > 0) {
      lines.push(`Left out: ${skipped} ${skipped === 1 ? 'test' : 'tests'}`);
      for (const [reason, files] of reasons) {
        lines.push(`  ${reason}`);
        for (const [file, count] of files) lines.push(`    ${file} (${count})`);
      }
      const missing = [...reasons.keys()].filter((reason) => !NO_PACKAGE.some((one) => one.test(reason)));
      if (process.env.REQUIRE_ALL && missing.length > 0) {
        lines.push(
          `  REQUIRE_ALL is set: this counts as a failure, but for what needs an SDK that no package brings.`,
        );
        process.exitCode = 1;
      }
      lines.push('');
    }
    lines.push(`${passed} passed, ${failed} failed, ${skipped} skipped`, '');
    process.stdout.write(lines.join('\n'));
  }
}
