import { generateKeyPairSync } from 'node:crypto';

/** A Curve25519 key pair as WireGuard writes it: base64 of 32 bytes. */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** One gateway of the lab, before it is started. */
export interface GatewayPlan {
  /** 1, 2, 3 ... */
  readonly number: number;
  /** Interface name, and the name of its log. */
  readonly name: string;
  /** The address that the control plane will give it: they are given in order. */
  readonly address: string;
  /** Loopback port here that leads through the tunnel to gateway 1's web page (TCP) and echo (UDP). */
  readonly forwardPort: number;
}

export interface NetworkPlan {
  readonly gateways: readonly GatewayPlan[];
  /** The tenant's address block. */
  readonly prefix: string;
  /** Port of the web page inside the tunnel, at gateway 1. */
  readonly webPort: number;
  /** Port of the echo inside the tunnel, at gateway 1 (the echo of RFC 862). */
  readonly echoPort: number;
}

const WEB_PORT = 80;
const ECHO_PORT = 7;
/** 10.88.0.1, 10.88.0.2 ...: a private network of RFC 1918. */
const NETWORK = '10.88.0';
export const MAX_GATEWAYS = 16;

/** `forwardPorts` gives each gateway the port of its forward. */
export function planNetwork(forwardPorts: readonly number[], tag: string): NetworkPlan {
  return {
    gateways: forwardPorts.map((forwardPort, index) => ({
      number: index + 1,
      name: `lab${index + 1}${tag}`,
      address: `${NETWORK}.${index + 1}`,
      forwardPort,
    })),
    prefix: `${NETWORK}.0/24`,
    webPort: WEB_PORT,
    echoPort: ECHO_PORT,
  };
}

export function generateKeys(): KeyPair {
  const pair = generateKeyPairSync('x25519');
  const { d, x } = pair.privateKey.export({ format: 'jwk' });
  if (d === undefined || x === undefined) throw new Error('this Node.js makes no X25519 keys');
  return { privateKey: base64(d), publicKey: base64(x) };
}

/** JSON Web Keys are base64url without padding (RFC 7518), WireGuard's are base64 with it. */
function base64(base64url: string): string {
  return Buffer.from(base64url, 'base64url').toString('base64');
}

/** What the guest's file says besides its key. */
export interface GuestPlan {
  readonly keys: KeyPair;
  readonly address: string;
  /** Of gateway 1, its only peer. */
  readonly publicKey: string;
  readonly presharedKey: string;
  readonly port: number;
}

/** The file (and QR code) that lets a stock WireGuard client in. `host` is where it finds gateway 1. */
export function guestConfiguration(network: NetworkPlan, guest: GuestPlan, host: string): string {
  return [
    '[Interface]',
    `PrivateKey = ${guest.keys.privateKey}`,
    `Address = ${guest.address}/32`,
    '',
    '[Peer]',
    `PublicKey = ${guest.publicKey}`,
    `PresharedKey = ${guest.presharedKey}`,
    `AllowedIPs = ${network.gateways[0].address}/32`,
    `Endpoint = ${host.includes(':') ? `[${host}]` : host}:${guest.port}`,
    'PersistentKeepalive = 25',
    '',
  ].join('\n');
}
