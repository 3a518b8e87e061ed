/** What no single line of a wg-quick file shows: settings that are missing or contradict each other. */

import { formatPrefix } from '../packet/address.js';
import { IPV6_MINIMUM_MTU } from '../packet/ip.js';
import { error, type Problem, warning } from './problem.js';
import type { InterfaceDraft, PeerDraft } from './wg-quick-drafts.js';
import type { Placed } from './wg-quick-lines.js';

export function checkWhole(
  own: InterfaceDraft | undefined,
  peers: readonly PeerDraft[],
  publicKeyOf: ((privateKey: Uint8Array) => Uint8Array) | undefined,
): Problem[] {
  const problems: Problem[] = [];
  if (own === undefined) {
    problems.push(
      error({ line: 1 }, '[Interface]', 'the section is missing', 'write [Interface] with a PrivateKey'),
    );
  } else {
    checkInterface(own, problems);
  }
  const ownKey = own?.privateKey === undefined ? undefined : publicKeyOf?.(own.privateKey);
  checkReach(own, peers, problems);
  checkPeerKeys(peers, ownKey, problems);
  checkAllowedIps(peers, problems);
  return problems;
}

/** Relays, what leads to them, and who needs them. */
function checkReach(own: InterfaceDraft | undefined, peers: readonly PeerDraft[], problems: Problem[]): void {
  if (own === undefined) return;
  const relay = own.given.get('Relay');
  if (relay !== undefined) {
    if (!own.given.has('RelayToken')) {
      const remedy = 'add a line as #@ RelayToken = /etc/wireguard/relay.token';
      problems.push(
        error({ line: relay }, 'RelayToken', 'relays ask for a token, and none is named', remedy),
      );
    }
    return;
  }
  for (const key of [
    'RelayToken',
    'RelayCa',
    'RelayPin',
    'Proxy',
    'ProxyCredentials',
    'DecisionTable',
    'Metered',
    'PathOptions',
  ]) {
    const line = own.given.get(key);
    if (line === undefined) continue;
    const remedy = 'add a line as #@ Relay = https://relay.example';
    problems.push(warning({ line }, key, 'the setting does nothing without a relay', remedy));
  }
  for (const peer of peers) {
    for (const key of ['Transports', 'Scenario', 'RelayName', 'RelayFirst']) {
      const line = peer.given.get(key);
      if (line === undefined) continue;
      const remedy = 'add a line as #@ Relay = https://relay.example under [Interface]';
      problems.push(error({ line }, key, 'the setting needs a relay, and none is named', remedy));
    }
  }
}

function checkInterface(own: InterfaceDraft, problems: Problem[]): void {
  if (!own.given.has('PrivateKey')) {
    problems.push(
      error(own, 'PrivateKey', 'the setting is missing', 'make one with "cloudbridge-gateway genkey"'),
    );
  }
  if (!own.given.has('Address')) {
    problems.push(
      warning(
        own,
        'Address',
        'the interface has no address, so nothing on this host can use the tunnel',
        'add a line as Address = 10.0.0.2/24',
      ),
    );
  }
  const ipv6 = own.addresses.find((prefix) => prefix.address.length === 16);
  if (own.mtu !== undefined && own.mtu < IPV6_MINIMUM_MTU && ipv6 !== undefined) {
    // RFC 8200 section 5.
    problems.push(
      error(
        own.mtuAt!,
        'MTU',
        `an MTU below ${IPV6_MINIMUM_MTU} does not go with the IPv6 address of line ${ipv6.at.line}`,
        `write ${IPV6_MINIMUM_MTU} or more, or remove the IPv6 address`,
      ),
    );
  }
  const seen = new Map<string, Placed>();
  for (const prefix of own.addresses) {
    const name = prefix.address.join('.');
    const earlier = seen.get(name);
    if (earlier === undefined) seen.set(name, prefix.at);
    else {
      problems.push(
        error(
          prefix.at,
          'Address',
          `the same address stands in line ${earlier.line}`,
          'remove one of the two',
        ),
      );
    }
  }
}

function checkPeerKeys(
  peers: readonly PeerDraft[],
  ownKey: Uint8Array | undefined,
  problems: Problem[],
): void {
  const ownName = ownKey?.join('.');
  const seen = new Map<string, number>();
  for (const peer of peers) {
    if (!peer.given.has('PublicKey')) {
      problems.push(
        error(
          peer,
          'PublicKey',
          'the peer has no public key',
          'add the key that "wg show" or "cloudbridge-gateway pubkey" tells at the peer',
        ),
      );
    }
    if (!peer.given.has('AllowedIPs')) {
      problems.push(
        warning(
          peer,
          'AllowedIPs',
          'the peer has no addresses, so no packet goes to it and none from it is accepted',
          'add a line as AllowedIPs = 10.0.0.3/32',
        ),
      );
    }
    if (peer.publicKey === undefined) continue;
    const at = peer.publicKeyAt!;
    const name = peer.publicKey.join('.');
    const earlier = seen.get(name);
    if (name === ownName) {
      problems.push(
        error(
          at,
          'PublicKey',
          'this is the public key of the gateway itself',
          'write the key of the other side',
        ),
      );
    } else if (earlier !== undefined) {
      problems.push(
        error(
          at,
          'PublicKey',
          `the same peer stands in line ${earlier}`,
          'put both sections into one, or correct the key',
        ),
      );
    } else seen.set(name, at.line);
  }
}

/** A prefix belongs to one peer: as everywhere in WireGuard, the last one that claims it. */
function checkAllowedIps(peers: readonly PeerDraft[], problems: Problem[]): void {
  const owners = new Map<string, { peer: PeerDraft; line: number }>();
  for (const peer of peers) {
    for (const prefix of peer.allowedIps) {
      const name = `${prefix.address.join('.')}/${prefix.prefixLength}`;
      const owner = owners.get(name);
      if (owner !== undefined && owner.peer !== peer) {
        problems.push(
          warning(
            prefix.at,
            'AllowedIPs',
            `${formatPrefix(prefix)} was given to the peer of line ${owner.peer.line}, in line ${owner.line}; this one gets it`,
            'leave it with one of the two',
          ),
        );
      }
      owners.set(name, { peer, line: prefix.at.line });
    }
  }
}
