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
  /** Interface name, and the name of its configuration file. */
  readonly name: string;
  readonly keys: KeyPair;
  /** Its address inside the tunnel. */
  readonly address: string;
  /** Its UDP port on this machine. */
  readonly port: number;
  /** Loopback port here that leads through the tunnel to gateway 1's web page (TCP) and echo (UDP). */
  readonly forwardPort: number;
}

/** What a stock WireGuard client needs to join: gateway 1 is its peer. */
export interface GuestPlan {
  readonly keys: KeyPair;
  readonly address: string;
}

export interface NetworkPlan {
  readonly gateways: readonly GatewayPlan[];
  readonly guest: GuestPlan;
  /** Port of the web page inside the tunnel, at gateway 1. */
  readonly webPort: number;
  /** Port of the echo inside the tunnel, at gateway 1 (the echo of RFC 862). */
  readonly echoPort: number;
}

const WEB_PORT = 80;
const ECHO_PORT = 7;
/** 10.88.0.1, 10.88.0.2 ...: a private network of RFC 1918. */
const NETWORK = '10.88.0';
const GUEST_HOST = 250;
/** Host numbers 1 to 249 are the gateways'. */
export const MAX_GATEWAYS = 16;

/** A full mesh: every gateway knows every other. `ports` gives each gateway a UDP port and a forward's port. */
export function planNetwork(
  ports: readonly { readonly udp: number; readonly forward: number }[],
  tag: string,
): NetworkPlan {
  return {
    gateways: ports.map(({ udp, forward }, index) => ({
      number: index + 1,
      name: `lab${index + 1}${tag}`,
      keys: generateKeys(),
      address: `${NETWORK}.${index + 1}`,
      port: udp,
      forwardPort: forward,
    })),
    guest: { keys: generateKeys(), address: `${NETWORK}.${GUEST_HOST}` },
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

/** The wg-quick file of one gateway. */
export function gatewayConfiguration(network: NetworkPlan, own: GatewayPlan): string {
  const lines = [
    `# Gateway ${own.number} of a lab; made at its start, gone at its end.`,
    '[Interface]',
    `PrivateKey = ${own.keys.privateKey}`,
    `Address = ${own.address}/24`,
    `ListenPort = ${own.port}`,
  ];
  for (const peer of network.gateways) {
    if (peer === own) continue;
    lines.push(
      '',
      `# gateway ${peer.number}`,
      '[Peer]',
      `PublicKey = ${peer.keys.publicKey}`,
      `AllowedIPs = ${peer.address}/32`,
      `Endpoint = 127.0.0.1:${peer.port}`,
      'PersistentKeepalive = 10',
    );
  }
  if (own.number === 1) {
    lines.push(
      '',
      '# any stock WireGuard client, with guest.conf',
      '[Peer]',
      `PublicKey = ${network.guest.keys.publicKey}`,
      `AllowedIPs = ${network.guest.address}/32`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** The file (and QR code) that lets a stock WireGuard client in. `host` is where it finds gateway 1. */
export function guestConfiguration(network: NetworkPlan, host: string): string {
  const first = network.gateways[0];
  return [
    '[Interface]',
    `PrivateKey = ${network.guest.keys.privateKey}`,
    `Address = ${network.guest.address}/32`,
    '',
    '[Peer]',
    `PublicKey = ${first.keys.publicKey}`,
    `AllowedIPs = ${first.address}/32`,
    `Endpoint = ${host.includes(':') ? `[${host}]` : host}:${first.port}`,
    'PersistentKeepalive = 25',
    '',
  ].join('\n');
}
