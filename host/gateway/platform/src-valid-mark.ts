/** `src_valid_mark`: the kernel's reverse-path check looks at the firewall mark of a reply only when this is on. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Log } from '../../../src/ports.js';
import { messageOf } from '../errors.js';
import { findProgram } from './command.js';
import type { UndoList } from './undo.js';

const SRC_VALID_MARK = '/proc/sys/net/ipv4/conf/all/src_valid_mark';

export function acceptMarkedReplies(undo: UndoList, log: Log): void {
  try {
    const before = readFileSync(SRC_VALID_MARK, 'utf8').trim();
    if (before === '1') return;
    undo.add({ kind: 'src-valid-mark', value: before });
    writeFileSync(SRC_VALID_MARK, '1');
  } catch (error) {
    log.write('warn', 'src-valid-mark-not-set', { reason: messageOf(error) });
  }
}

/** The setting is one for the whole machine: while another tunnel has policy rules, it stays. */
export function restoreSrcValidMark(value: string): string | undefined {
  const rules =
    spawnSync(findProgram('ip') ?? 'ip', ['-4', 'rule', 'show'], { encoding: 'utf8' }).stdout ?? '';
  if (/not from all fwmark/.test(rules)) return undefined;
  try {
    writeFileSync(SRC_VALID_MARK, value);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}
