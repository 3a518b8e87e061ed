// An ICE agent of werift behind the lines of `peer.ts`.
import { createInterface } from 'node:readline';
import { Candidate, Connection } from 'werift';

const [, , role, stun, turn, username, password] = process.argv;
const address = (text) => (text ? [text.split(':')[0], Number(text.split(':')[1])] : undefined);
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const connection = new Connection(role === 'controlling', {
  stunServer: address(stun),
  turnServer: address(turn),
  turnUsername: username,
  turnPassword: password,
  useIpv4: true,
  useIpv6: false,
});
connection.onData.subscribe((data) => tell({ received: data.toString() }));
connection.stateChanged.subscribe((state) => tell({ state }));
connection.onIceCandidate.subscribe((candidate) => tell({ candidate: `candidate:${candidate.toSdp()}` }));
tell({ ufrag: connection.localUsername, pwd: connection.localPassword });

createInterface({ input: process.stdin }).on('line', async (text) => {
  const line = JSON.parse(text);
  if (line.ufrag) {
    connection.setRemoteParams({ iceLite: false, usernameFragment: line.ufrag, password: line.pwd });
    await connection.gatherCandidates();
    tell({ end: true });
    connection.connect().catch((error) => tell({ state: `failed ${error.message}` }));
  }
  if (line.candidate)
    await connection.addRemoteCandidate(Candidate.fromSdp(line.candidate.slice('candidate:'.length)));
  if (line.end) await connection.addRemoteCandidate(undefined);
  if (line.send) await connection.send(Buffer.from(line.send));
});
