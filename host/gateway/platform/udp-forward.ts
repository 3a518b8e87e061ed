/** Carries the datagrams of one listener to the rule's target, and the answers back to whoever asked. */

import type { Log } from '../../../src/ports.js';
import { messageOf } from '../errors.js';
import type { DatagramPort } from './datagram-port.js';
import type { ForwardLimits } from './forward-limits.js';
import { addressText, type ForwardRule, ruleText, type SocketAddress } from './forward-rule.js';

/** Datagrams kept while a flow's port is being opened. */
const MAX_PENDING = 8;
/** How often, within the idle time, silent flows are looked for. */
const SWEEPS_PER_IDLE = 4;

/** One source's way to the target: a port of its own, so that answers find back. */
interface Flow {
  readonly source: SocketAddress;
  port: DatagramPort | undefined;
  pending: Uint8Array[];
  lastUsed: number;
  closed: boolean;
}

export class UdpForward {
  private readonly listener: DatagramPort;
  private readonly rule: ForwardRule;
  private readonly limits: ForwardLimits;
  private readonly log: Log;
  private readonly open: (target: SocketAddress) => Promise<DatagramPort>;
  /** In order of use, the one idle longest first. */
  private readonly flows = new Map<string, Flow>();
  private readonly sweeper: NodeJS.Timeout;

  /** `open` makes the port on the far side for a new flow. */
  constructor(
    listener: DatagramPort,
    rule: ForwardRule,
    limits: ForwardLimits,
    log: Log,
    open: (target: SocketAddress) => Promise<DatagramPort>,
  ) {
    this.listener = listener;
    this.rule = rule;
    this.limits = limits;
    this.log = log;
    this.open = open;
    listener.onDatagram = (bytes, from) => this.receive(bytes, from);
    this.sweeper = setInterval(() => this.sweep(), limits.flowIdle / SWEEPS_PER_IDLE).unref();
  }

  get flowCount(): number {
    return this.flows.size;
  }

  close(): void {
    clearInterval(this.sweeper);
    for (const [key, flow] of this.flows) this.drop(key, flow);
    this.listener.close();
  }

  private receive(bytes: Uint8Array, from: SocketAddress): void {
    const key = addressText(from);
    let flow = this.flows.get(key);
    if (flow === undefined) {
      if (this.flows.size >= this.limits.maxFlows) {
        const [oldest] = this.flows;
        this.drop(oldest[0], oldest[1]);
      }
      flow = { source: from, port: undefined, pending: [], lastUsed: 0, closed: false };
      void this.start(key, flow);
    }
    this.use(key, flow);
    if (flow.port !== undefined) flow.port.send(bytes, this.rule.target);
    else if (flow.pending.length < MAX_PENDING) flow.pending.push(bytes.slice());
  }

  private async start(key: string, flow: Flow): Promise<void> {
    try {
      const port = await this.open(this.rule.target);
      if (flow.closed) {
        port.close();
        return;
      }
      flow.port = port;
      port.onDatagram = (bytes, from) => {
        // The port is open to everybody; only the target's words belong to the flow.
        if (from.port !== this.rule.target.port || from.host !== this.rule.target.host) return;
        this.use(key, flow);
        this.listener.send(bytes, flow.source);
      };
      for (const bytes of flow.pending) port.send(bytes, this.rule.target);
      flow.pending = [];
    } catch (error) {
      this.log.write('debug', 'forward-flow-failed', { rule: ruleText(this.rule), error: messageOf(error) });
      this.drop(key, flow);
    }
  }

  private use(key: string, flow: Flow): void {
    flow.lastUsed = performance.now();
    this.flows.delete(key);
    this.flows.set(key, flow);
  }

  private sweep(): void {
    const limit = performance.now() - this.limits.flowIdle;
    for (const [key, flow] of this.flows) {
      if (flow.lastUsed > limit) return;
      this.drop(key, flow);
    }
  }

  private drop(key: string, flow: Flow): void {
    flow.closed = true;
    flow.port?.close();
    if (this.flows.get(key) === flow) this.flows.delete(key);
  }
}
