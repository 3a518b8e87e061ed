import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayError } from '../../host/gateway/errors.js';
import { healCrashes, UndoList, type UndoStep } from '../../host/gateway/platform/undo.js';

const log = { write() {} };

describe('the undo list', () => {
  let directory: string;
  let notes: string;
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'cb-undo-')), 'state');
    notes = join(directory, '..', 'notes');
  });
  afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

  const note = (word: string): UndoStep => ({
    kind: 'command',
    program: 'sh',
    args: ['-c', `echo ${word} >> ${notes}`],
  });
  const noted = () => readFileSync(notes, 'utf8').trim().split('\n');
  const path = () => join(directory, 'wg9.undo.json');
  const read = () => JSON.parse(readFileSync(path(), 'utf8'));
  const write = (state: unknown) => writeFileSync(path(), JSON.stringify(state));

  it('runs newest first and goes on after a step that fails', () => {
    const undo = new UndoList('wg9', undefined, log);
    undo.add(note('first'));
    undo.add({ kind: 'command', program: 'false', args: [] });
    undo.add({ kind: 'command', program: '/nowhere/at/all', args: [] });
    undo.add(note('third'));
    undo.addLast(note('last'));
    undo.run();
    expect(noted()).toEqual(['third', 'first', 'last']);
    undo.run();
    expect(noted()).toHaveLength(3);
  });

  it('retracts some steps and keeps the others', () => {
    const undo = new UndoList('wg9', directory, log);
    undo.add(note('stays'));
    const { size } = undo;
    undo.add(note('goes-1'));
    undo.add(note('goes-2'));
    undo.retract(undo.since(size));
    expect(noted()).toEqual(['goes-2', 'goes-1']);
    expect(read().steps).toHaveLength(1);
    undo.run();
    expect(noted()).toEqual(['goes-2', 'goes-1', 'stays']);
  });

  it('is on disk before the change, for its owner only, and gone when done', () => {
    const undo = new UndoList('wg9', directory, log);
    undo.add(note('one'));
    expect(read().steps).toHaveLength(1);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    undo.run();
    expect(readdirSync(directory)).toEqual([]);
  });

  it('refuses the change when the list cannot be kept', () => {
    const undo = new UndoList('wg9', directory, log);
    rmSync(directory, { recursive: true });
    writeFileSync(directory, 'no directory');
    expect(() => undo.add(note('one'))).toThrow(GatewayError);
    expect(() => undo.add(note('one'))).toThrow(/free some space/);
    rmSync(directory);
  });

  it('of a dead process is worked off at the next start, once', () => {
    const undo = new UndoList('wg9', directory, log);
    undo.add(note('one'));
    undo.add(note('two'));
    const state = read();
    // The number of a process that is there, started at another time.
    state.owner.started = '1';
    write(state);
    expect(healCrashes(directory, log)).toEqual(['wg9']);
    expect(noted()).toEqual(['two', 'one']);
    expect(healCrashes(directory, log)).toEqual([]);
    expect(noted()).toHaveLength(2);
  });

  it('of a dead process does not delete an interface that somebody made since', () => {
    const undo = new UndoList('wg9', directory, log);
    undo.add({ kind: 'link', name: 'lo' });
    undo.add(note('rest'));
    const state = read();
    state.owner.pid = 2 ** 22 + 1;
    write(state);
    const failures: unknown[] = [];
    healCrashes(directory, {
      write: (_level, event, fields) => event === 'undo-step-failed' && failures.push(fields),
    });
    expect(noted()).toEqual(['rest']);
    expect(failures).toEqual([]);
  });

  it('of a living process is left alone', () => {
    new UndoList('wg9', directory, log).add(note('one'));
    expect(healCrashes(directory, log)).toEqual([]);
    expect(read().steps).toHaveLength(1);
  });

  it('of another network namespace is left alone', () => {
    new UndoList('wg9', directory, log).add(note('one'));
    const state = read();
    state.owner.started = '1';
    state.owner.namespace = 'net:[1]';
    write(state);
    expect(healCrashes(directory, log)).toEqual([]);
    expect(read().steps).toHaveLength(1);
  });

  it('from before a reboot is dropped: the reboot has undone it', () => {
    new UndoList('wg9', directory, log).add(note('one'));
    write({ ...read(), owner: { ...read().owner, boot: 'another' } });
    expect(healCrashes(directory, log)).toEqual([]);
    expect(readdirSync(directory)).toEqual([]);
    expect(() => noted()).toThrow();
  });

  it('that is damaged is reported and stays', () => {
    new UndoList('wg9', directory, log).add(note('one'));
    writeFileSync(path(), '{"format":1,');
    const events: string[] = [];
    expect(healCrashes(directory, { write: (_level, event) => events.push(event) })).toEqual([]);
    expect(events).toEqual(['undo-list-unreadable']);
    expect(readdirSync(directory)).toEqual(['wg9.undo.json']);
  });
});
