/**
 * Reads the text that `wg-quick` reads (wg-quick(8), wg(8)): everything in it at once, with every mistake and its
 * place. What stock tools accept is accepted; what they would silently take in an unexpected way is a warning.
 */

import type { ZoneIndex } from '../packet/endpoint-text.js';
import { error, hasErrors, type Place, type Problem, warning } from './problem.js';
import { INTERFACE_REACH_KEYS, PEER_REACH_KEYS } from './reach.js';
import { nearestWord } from './suggestion.js';
import type { TunnelConfig } from './tunnel-config.js';
import { type Draft, InterfaceDraft, PeerDraft } from './wg-quick-drafts.js';
import { type Placed, readLines, type Setting } from './wg-quick-lines.js';
import { checkWhole } from './wg-quick-rules.js';

export interface WgQuickOptions {
  /** Public key (32 bytes) of a private key; with it, a peer that is this gateway itself is noticed. */
  readonly publicKeyOf?: (privateKey: Uint8Array) => Uint8Array;
  /** Finds the interface named in `Endpoint = [fe80::1%eth0]:51820`; without it only `%2` is understood. */
  readonly zoneIndex?: ZoneIndex;
}

export interface WgQuickResult {
  /** `undefined` when any problem is an error. */
  readonly config: TunnelConfig | undefined;
  /** In the order of their lines. */
  readonly problems: readonly Problem[];
}

/** Never throws. `text` is the file's content. */
export function parseWgQuick(text: string, options: WgQuickOptions = {}): WgQuickResult {
  const reader = new Reader(options);
  if (text.includes('\0')) {
    const remedy = 'save it as UTF-8 text; some editors write UTF-16';
    return { config: undefined, problems: [error({ line: 1 }, '', 'the file is not UTF-8 text', remedy)] };
  }
  for (const line of readLines(text)) {
    if (line.kind === 'section') reader.section(line.name);
    else if (line.kind === 'setting') reader.setting(line.setting);
    else if (line.kind === 'reach') reader.reach(line.setting);
    else reader.other(line);
  }
  return reader.finish();
}

class Reader {
  readonly #options: WgQuickOptions;
  readonly #problems: Problem[] = [];
  readonly #peers: PeerDraft[] = [];
  #interface: InterfaceDraft | undefined;
  /** The section that settings go to; `undefined` before the first and inside one that is not known. */
  #section: Draft | undefined;
  #saidOutside = false;

  constructor(options: WgQuickOptions) {
    this.#options = options;
  }

  section(name: Placed): void {
    // Settings of a section that is not known would all be reported again: its name is the mistake.
    this.#saidOutside = true;
    switch (name.text.toLowerCase()) {
      case 'interface':
        if (this.#interface !== undefined) {
          this.#add(
            error(
              name,
              '[Interface]',
              `a second [Interface] section; the first is in line ${this.#interface.line}`,
              'put all of its settings under one',
            ),
          );
        }
        this.#section = this.#interface ??= new InterfaceDraft(name.line);
        break;
      case 'peer': {
        const peer = new PeerDraft(name.line, this.#options.zoneIndex);
        this.#peers.push(peer);
        this.#section = peer;
        break;
      }
      default:
        this.#section = undefined;
        this.#add(
          error(
            name,
            '',
            'the section is neither [Interface] nor [Peer]',
            suggestion(name.text, ['Interface', 'Peer'], 'remove it'),
          ),
        );
    }
  }

  setting(setting: Setting): void {
    const { key, value } = setting;
    const section = this.#section;
    const known = knownKey(key.text);
    if (known === undefined) {
      const keys = section?.keys ?? ALL_KEYS;
      // A line that is only a key in base64 ends in "=" and so looks like a setting: a name is repeated only when it
      // is nearly a known one.
      const name = nearestWord(key.text, keys) === undefined ? '' : key.text;
      const remedy = suggestion(key.text, keys, 'remove the line');
      if (section !== undefined || !this.#saidOutside) {
        this.#add(error(key, name, 'this setting is not known', remedy));
      }
      return;
    }
    if (section === undefined) {
      if (!this.#saidOutside) {
        this.#add(
          error(
            key,
            known,
            'the setting stands before any section',
            `write [${sectionOf(known)}] in a line above it`,
          ),
        );
      }
      return;
    }
    if (!section.keys.includes(known)) {
      this.#add(
        error(
          key,
          known,
          `the setting does not belong into [${section.name}]`,
          `move it under [${sectionOf(known)}]`,
        ),
      );
      return;
    }
    const earlier = section.given.get(known);
    if (earlier !== undefined && !section.mayRepeat(known)) {
      this.#add(
        warning(
          key,
          known,
          `the setting was already given in line ${earlier}; this one counts`,
          'remove one of the two',
        ),
      );
    }
    section.given.set(known, key.line);
    section.read(known, value, (severity, at, mistake) =>
      this.#add({ severity, line: at.line, column: at.column, key: known, ...mistake }),
    );
  }

  /** A setting of ours, behind `#@`. */
  reach(setting: Setting): void {
    const { key, value } = setting;
    const section = this.#section;
    const known = REACH_KEYS.find((one) => one.toLowerCase() === key.text.toLowerCase());
    if (known === undefined) {
      const remedy = suggestion(key.text, REACH_KEYS, 'remove the line, or the "@" if it is a remark');
      this.#add(error(key, '', 'this setting behind "#@" is not known', remedy));
      return;
    }
    const belongs = PEER_REACH_KEYS.includes(known)
      ? section instanceof PeerDraft
      : section instanceof InterfaceDraft;
    if (section === undefined || !belongs) {
      const home = PEER_REACH_KEYS.includes(known) ? 'Peer' : 'Interface';
      this.#add(error(key, known, `the setting belongs into [${home}]`, `move it under [${home}]`));
      return;
    }
    const earlier = section.given.get(known);
    const repeats = section instanceof InterfaceDraft && section.reach.mayRepeat(known);
    if (earlier !== undefined && !repeats) {
      const message = `the setting was already given in line ${earlier}; this one counts`;
      this.#add(warning(key, known, message, 'remove one of the two'));
    }
    section.given.set(known, key.line);
    (section as InterfaceDraft | PeerDraft).reach.read(known, value, (severity, at, mistake) =>
      this.#add({ severity, line: at.line, column: at.column, key: known, ...mistake }),
    );
  }

  other(at: Place): void {
    this.#add(
      error(
        at,
        '',
        'the line is neither a section, as [Peer], nor a setting, as MTU = 1420',
        'put "#" before it if it is a remark',
      ),
    );
  }

  finish(): WgQuickResult {
    for (const problem of checkWhole(this.#interface, this.#peers, this.#options.publicKeyOf)) {
      this.#add(problem);
    }
    const problems = this.#problems.sort((a, b) => a.line - b.line || (a.column ?? 0) - (b.column ?? 0));
    const usable = this.#interface !== undefined && !hasErrors(problems);
    return {
      config: usable
        ? { interface: this.#interface!.finish(), peers: this.#peers.map((peer) => peer.finish()) }
        : undefined,
      problems,
    };
  }

  #add(problem: Problem): void {
    this.#problems.push(problem);
  }
}

const REACH_KEYS: readonly string[] = Object.freeze([...INTERFACE_REACH_KEYS, ...PEER_REACH_KEYS]);
const ALL_KEYS: readonly string[] = Object.freeze([...InterfaceDraft.KEYS, ...PeerDraft.KEYS]);

function knownKey(text: string): string | undefined {
  const wanted = text.toLowerCase();
  return ALL_KEYS.find((key) => key.toLowerCase() === wanted);
}

function sectionOf(key: string): string {
  return PeerDraft.KEYS.includes(key) ? 'Peer' : 'Interface';
}

function suggestion(word: string, known: readonly string[], otherwise: string): string {
  const nearest = nearestWord(word, known);
  return nearest === undefined ? `${otherwise}; known are ${known.join(', ')}` : `did you mean ${nearest}?`;
}
