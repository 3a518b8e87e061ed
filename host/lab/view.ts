import type { GatewayStatus } from '../gateway/status.js';
import type { GatewayPlan, NetworkPlan } from './network.js';

/** What the lab knows about one peer of one gateway at one moment. */
export interface PeerView {
  /** `gateway 2`, `guest`. */
  readonly label: string;
  /** Number of the gateway it is; undefined for the guest. */
  readonly number: number | undefined;
  /** How its datagrams travel (`udp`), and to where; the endpoint is empty while none is known. */
  readonly transport: string;
  readonly endpoint: string;
  /** Seconds since the last handshake; undefined before the first. */
  readonly handshakeAge: number | undefined;
  /** Milliseconds of the last handshake's round trip, where this gateway began it. */
  readonly roundTrip: number | undefined;
  /** Bytes since the gateway's start, as WireGuard counts them. */
  readonly received: number;
  readonly sent: number;
  readonly state: string;
  /** Why it is in this state, as a sentence. */
  readonly reason: string;
}

/** The two lamps of a gateway and what is behind the first. */
export interface LampView {
  readonly control: 'green' | 'red' | 'off';
  readonly data: 'green' | 'red' | 'off';
  /** Seconds since the last acknowledged heartbeat; undefined before the first. */
  readonly acknowledgedAge: number | undefined;
  /** State of the control session and the reason for it. */
  readonly session: string;
}

export interface GatewayView {
  readonly number: number;
  readonly address: string;
  /** Its name at the control plane. */
  readonly gateway: string;
  readonly publicKey: string;
  readonly listenPort: number;
  readonly lamps: LampView;
  /** `rootless`, `tun` or `minimal`, and why. */
  readonly mode: string;
  readonly modeReason: string;
  /** How packets are carried: `portable` or `t0`. */
  readonly tier: string;
  readonly peers: readonly PeerView[];
}

/** The answers to what was sent through the tunnel from one gateway to another. */
export interface ProbeView {
  readonly from: number;
  readonly to: number;
  readonly sent: number;
  readonly answered: number;
  /** Milliseconds of the last answer; undefined when the last one is missing. */
  readonly milliseconds: number | undefined;
  /** The last answer's status, or what went wrong. */
  readonly detail: string;
}

/** The control plane as the lab left it. */
export interface ControlView {
  readonly running: boolean;
  readonly url: string;
  /** Seconds that it is as it is. */
  readonly seconds: number;
}

export interface LabView {
  /** Seconds since the lab's start. */
  readonly seconds: number;
  readonly control: ControlView;
  readonly gateways: readonly GatewayView[];
  /** Those that do not answer, and why as far as it is known. */
  readonly silent: readonly { readonly number: number; readonly reason: string }[];
  readonly pings: readonly ProbeView[];
  /** Web requests (UDP requests in minimal mode). */
  readonly requests: readonly ProbeView[];
}

/** A gateway's own status, with addresses replaced by the lab's names. */
export function gatewayView(status: GatewayStatus, own: GatewayPlan, network: NetworkPlan): GatewayView {
  const { control } = status;
  const peers = status.peers.map((peer) => {
    const gateway = network.gateways.find((one) => peer.allowedIps.includes(`${one.address}/32`));
    return {
      label: gateway === undefined ? 'guest' : `gateway ${gateway.number}`,
      number: gateway?.number,
      transport: peer.transport,
      endpoint: peer.endpoint ?? '',
      handshakeAge: peer.handshakeAge ?? undefined,
      roundTrip: peer.roundTrip ?? undefined,
      received: peer.received,
      sent: peer.sent,
      state: peer.state,
      reason: peer.explanation,
    };
  });
  return {
    number: own.number,
    address: own.address,
    gateway: control?.gateway ?? '',
    publicKey: status.publicKey ?? '',
    listenPort: status.listenPort,
    lamps: {
      control: control?.control ?? 'off',
      data: control?.data ?? 'off',
      acknowledgedAge: control?.acknowledgedAge ?? undefined,
      session: control === undefined ? 'not enrolled' : `${control.session}: ${control.reason}`,
    },
    mode: status.mode,
    modeReason: status.modeReason,
    tier: status.tier,
    // All know the guest, but its file names gateway 1 alone.
    peers: peers
      .filter(({ number }) => number !== undefined || own.number === 1)
      .sort((a, b) => (a.number ?? Number.POSITIVE_INFINITY) - (b.number ?? Number.POSITIVE_INFINITY)),
  };
}
