import type { DecisionView, PathView, TransportView } from '../../../src/transport/path-view.js';
import { EXIT, type ExitCode, GatewayError } from '../errors.js';
import { type GatewayStatus, type PeerView, STATUS_OPERATION } from '../status.js';
import { askGateway, listInterfaces } from '../uapi-client.js';
import { requireInterfaceName, uapiDirectory } from '../uapi-path.js';

/** Tells why a peer's datagrams travel as they do. `key`: its public key, or the beginning of it. */
export async function explain(
  key: string,
  options: { interface?: string; json?: boolean },
): Promise<ExitCode> {
  const directory = uapiDirectory();
  const names = options.interface ? [requireInterfaceName(options.interface)] : listInterfaces(directory);
  const found: [string, PeerView][] = [];
  for (const name of names) {
    const answer = await askGateway(directory, name, STATUS_OPERATION).catch((error) => {
      // A crash leaves its socket behind; nobody asked for that one by name.
      if (!options.interface && error instanceof GatewayError && error.exitCode === EXIT.notRunning)
        return undefined;
      throw error;
    });
    if (answer === undefined) continue;
    const { peers } = JSON.parse(answer) as GatewayStatus;
    for (const peer of peers) if (peer.publicKey.startsWith(key)) found.push([name, peer]);
  }
  if (found.length !== 1) {
    const sentence =
      found.length === 0
        ? 'no running gateway has a peer whose public key begins so; see "status"'
        : 'several peers have keys that begin so; give more of it, or --interface';
    throw new GatewayError(EXIT.usage, sentence);
  }
  const [[name, peer]] = found;
  process.stdout.write(
    `${options.json ? JSON.stringify({ interface: name, ...peer }, undefined, 2) : explanation(name, peer)}\n`,
  );
  return EXIT.ok;
}

function explanation(name: string, peer: PeerView): string {
  const head = `peer ${peer.publicKey} of ${name}: ${peer.state}, ${peer.explanation}`;
  const { path } = peer;
  if (!path) {
    return `${head}\n  plain UDP to ${peer.endpoint ?? 'nowhere'}: no relay is configured, so there is nothing to choose`;
  }
  return [
    head,
    `  ${path.active ?? 'no transport yet'} for ${path.since} s, because: ${REASONS[path.reason]}`,
    ...(path.suspected ? ['  it is silent now, and the next best carries everything as well'] : []),
    `  the peer ${path.probesAnswered === null ? 'has not been probed yet' : path.probesAnswered ? 'answers probes' : 'answers no probes: it is of another make'}`,
    '',
    '  transports, in the order of the race:',
    ...path.transports.map(transportLine),
    '',
    '  decisions, oldest first:',
    ...path.decisions.map(decisionLine),
  ].join('\n');
}

function transportLine(one: TransportView): string {
  const facts = [
    `${one.state} (${one.reason}${one.detail === '' ? '' : `: ${one.detail}`})`,
    `place ${one.place}, score ${one.score}`,
    one.roundTrip === null ? 'never answered a probe' : `round trip ${one.roundTrip} ms`,
    one.heard === null ? 'never heard' : `heard ${one.heard} s ago`,
    ...(one.failures > 0 ? [`failed ${one.failures} times`] : []),
    ...(one.nextTry > 0 ? [`next try in ${one.nextTry} s`] : []),
  ];
  const role = one.role === 'other' ? '  ' : one.role === 'active' ? '* ' : '+ ';
  return `  ${role}${one.name}: ${facts.join(', ')}`;
}

function decisionLine({ ago, times, reason, transport, numbers }: DecisionView): string {
  const facts = Object.entries(numbers).map(([name, value]) => `${name} ${value}`);
  const more = [...(times > 1 ? [`${times} times`] : []), ...facts].join(', ');
  return `  ${ago} s ago: ${transport === '' ? '' : `${transport}: `}${REASONS[reason]}${more === '' ? '' : ` (${more})`}`;
}

const REASONS: Readonly<Record<PathView['reason'], string>> = {
  'race-started': 'all transports are tried, one after the other',
  'transport-opened': 'opened',
  'transport-failed': 'could not be opened, or ended',
  'transport-closed-unneeded': 'closed, since nobody needs it',
  'first-that-works': 'the first through which the peer was heard',
  'better-path': 'it proved itself and is better',
  'active-suspected': 'nothing came back in time',
  'active-answered': 'it answered after all',
  'active-silent': 'the one before fell silent',
  'active-closed': 'the one before ended',
  'all-silent': 'nothing answers any more',
  'peer-moved': 'the peer was heard from somewhere else',
  'network-changed': 'this host is in another network',
  'endpoint-configured': 'the peer’s endpoint was set',
  'returns-to-probe': 'asked again whether the peer hears us there',
  'skipped-in-this-network': 'not tried, since it could not be opened in this network',
  'waits-for-dwell': 'better, but the active one was taken only a moment ago',
  'waits-for-cooldown': 'better, but something changed only a moment ago',
  'waits-for-stability': 'better, but it failed before and must show that it stays',
  'gain-too-small': 'not better by enough',
  'budget-used-up': 'not probed, since the day’s bytes for that are used up',
};
