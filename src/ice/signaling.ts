/**
 * The signaling of one peer's agent: `sdp-offer`, `sdp-answer` and `ice-candidate` of the control protocol, whatever
 * carries them. An offer is repeated until the peer has answered it; a message seen twice changes nothing. Both sides
 * may offer at the same time: each takes the other's description, and ICE itself settles who controls.
 */

import { formatCandidate } from './candidate-text.js';
import { formatDescription, parseDescription } from './description.js';
import type { IceAgent } from './ice-agent.js';
import type { IceHost } from './ice-host.js';

export type SignalType = 'sdp-offer' | 'sdp-answer' | 'ice-candidate';

/** The data of a message, as `src/control/messages.ts` has it. */
export interface SignalData {
  readonly sdp?: string;
  readonly candidate?: string;
  readonly sdpMid?: string;
  readonly sdpMLineIndex?: number;
}

export interface SignalingHandlers {
  /** Sends a message to the peer. False: not now (no session); `connected` then begins anew. */
  signal(type: SignalType, data: SignalData): boolean;
  /** Where traffic may go has changed. */
  changed(now: number): void;
}

export interface SignalingTiming {
  /** Until an offer without answer is repeated, ms; doubled each time. */
  readonly firstRepeat: number;
  readonly longestRepeat: number;
}

export const SIGNALING_TIMING: SignalingTiming = Object.freeze({
  firstRepeat: 3_000,
  longestRepeat: 60_000,
});

/** RFC 8840 section 8.2, in the place of a candidate. */
const END = 'end-of-candidates';

export class IceSignaling {
  /** Messages that were no description, or whose candidate was refused. */
  refused = 0;
  readonly #host: IceHost;
  readonly #handlers: SignalingHandlers;
  readonly #timing: SignalingTiming;
  #agent: IceAgent | undefined;
  /** What we tell now is an answer to what the peer has told. */
  #answering = false;
  /** Descriptions sent. */
  #described = 0;
  #repeatAt = Number.POSITIVE_INFINITY;
  #wait: number;

  constructor(host: IceHost, handlers: SignalingHandlers, timing: Partial<SignalingTiming> = {}) {
    this.#host = host;
    this.#handlers = handlers;
    this.#timing = { ...SIGNALING_TIMING, ...timing };
    this.#wait = this.#timing.firstRepeat;
  }

  get agent(): IceAgent | undefined {
    return this.#agent;
  }

  /** Monotonic ms when `advance` is due. The agent's own deadlines are the host's. */
  get deadline(): number {
    return this.#repeatAt;
  }

  /** Looks for a way to the peer: offers, unless that is under way. A failed agent begins anew. */
  open(now: number): void {
    if (this.#agent === undefined) this.#begin(true, now);
    else if (this.#agent.state === 'failed') this.restart(now);
  }

  close(now: number): void {
    if (this.#agent !== undefined) this.#host.removeAgent(this.#agent, now);
    this.#agent = undefined;
    this.#repeatAt = Number.POSITIVE_INFINITY;
  }

  /** The network has changed, or a better way is looked for: an ICE restart. What works goes on working. */
  restart(now: number): void {
    this.#answering = false;
    this.#wait = this.#timing.firstRepeat;
    this.#agent?.restart(now);
    this.#repeatAt = now + this.#wait;
  }

  /** The control session is there again: what was said meanwhile may be lost. */
  connected(now: number): void {
    if (this.#agent === undefined) return;
    this.#wait = this.#timing.firstRepeat;
    if (this.#agent.remote === undefined) this.#repeatAt = now;
  }

  /** A message of the peer. */
  take(type: SignalType, data: SignalData, now: number): void {
    if (type === 'ice-candidate') this.#takeCandidate(data.candidate ?? '', now);
    else this.#takeDescription(type, data.sdp ?? '', now);
  }

  advance(now: number): void {
    if (this.#repeatAt > now) return;
    this.#repeatAt = Number.POSITIVE_INFINITY;
    const agent = this.#agent;
    if (agent === undefined || agent.remote !== undefined) return;
    this.#wait = Math.min(this.#wait * 2, this.#timing.longestRepeat);
    this.#repeatAt = now + this.#wait;
    if (agent.state === 'failed') agent.restart(now);
    else this.#describe();
  }

  // ---- inside ----

  #begin(offering: boolean, now: number): void {
    if (offering) {
      this.#answering = false;
      this.#repeatAt = now + this.#wait;
    }
    this.#agent = this.#host.addAgent(
      offering,
      {
        described: (agent) => {
          this.#agent = agent;
          this.#describe();
        },
        candidate: (candidate, agent) => this.#candidate(formatCandidate(candidate, agent.local.ufrag)),
        gathered: () => this.#candidate(END),
        selected: (_pair, _agent, at) => this.#handlers.changed(at),
        pairChanged: (_pair, _agent, at) => this.#handlers.changed(at),
        changed: (_agent, at) => this.#handlers.changed(at),
      },
      now,
    );
  }

  #takeDescription(type: SignalType, sdp: string, now: number): void {
    const description = parseDescription(sdp);
    if (description === undefined) {
      this.refused++;
      return;
    }
    const known = this.#agent?.remote;
    const same = known?.ufrag === description.ufrag && known.password === description.password;
    // An answer belongs to our last offer; one that names other credentials than we know belongs to an older one.
    if (type === 'sdp-answer' && (this.#agent === undefined || (known !== undefined && !same))) return;
    this.#answering = type === 'sdp-offer';
    const before = this.#described;
    if (this.#agent === undefined) this.#begin(false, now);
    const agent = this.#agent!;
    agent.setRemote(description.ufrag, description.password, now);
    for (const line of description.candidates) this.#takeCandidate(line, now);
    if (description.ended) agent.endOfRemoteCandidates(now);
    // A new agent and a restart have described themselves; whatever was told before may not have arrived.
    if (this.#answering && this.#described === before) this.#describe();
    this.#repeatAt = Number.POSITIVE_INFINITY;
    this.#wait = this.#timing.firstRepeat;
  }

  #takeCandidate(line: string, now: number): void {
    const agent = this.#agent;
    if (agent === undefined) this.refused++;
    // Browsers say it by an empty candidate.
    else if (line === END || line === '') agent.endOfRemoteCandidates(now);
    else if (agent.addRemoteCandidate(line, now) !== undefined) this.refused++;
  }

  /** All that is known by now, in one message. */
  #describe(): void {
    const agent = this.#agent;
    if (agent === undefined) return;
    this.#described++;
    const { candidates, gathered } = this.#host;
    const sdp = formatDescription(agent.local, candidates, gathered);
    this.#handlers.signal(this.#answering ? 'sdp-answer' : 'sdp-offer', { sdp });
  }

  #candidate(candidate: string): void {
    this.#handlers.signal('ice-candidate', { candidate, sdpMid: '0', sdpMLineIndex: 0 });
  }
}
