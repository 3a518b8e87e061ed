/**
 * `ioctl` and `setsockopt` on a descriptor of ours without native code: a short-lived helper process inherits the
 * descriptor as number 3. Both calls act on the open file description, which parent and child share, so
 * the effect stays when the helper is gone. Perl is essential on Debian and Raspberry Pi OS; Python is the second
 * choice. About 10 ms a call, used at start only.
 *
 * It must not be 0, 1 or 2: libuv makes those blocking in the child, and since the description is shared, ours too.
 */

import { spawnSync } from 'node:child_process';

/** One system call on the descriptor; `value` is passed as C `int`, `bytes` as a pointer to a copy. */
export type DescriptorCall =
  | { kind: 'ioctl-value'; request: number; value: number }
  | { kind: 'ioctl-bytes'; request: number; bytes: Uint8Array }
  | { kind: 'setsockopt'; level: number; option: number; value: number }
  | { kind: 'getsockopt'; level: number; option: number };

/** `errno` is 0 on success; `bytes` is what the kernel left in the argument (empty for values). */
export interface DescriptorResult {
  errno: number;
  bytes: Uint8Array;
}

/** No helper could be started: neither perl nor python3 is installed, or starting processes is forbidden. */
export class HelperMissingError extends Error {
  override name = 'HelperMissingError';
}

const PERL = `
open(my $fd, '+<&=', 3) or die "descriptor 3: $!";
for (@ARGV) {
  my ($kind, $a, $b, $c) = split /:/;
  my ($ok, $out) = (0, '');
  if ($kind eq 'v') { $ok = ioctl($fd, $a, $b + 0) }
  elsif ($kind eq 'b') { $out = pack('H*', $b); $ok = ioctl($fd, $a, $out) }
  elsif ($kind eq 's') { $ok = setsockopt($fd, $a, $b, pack('i', $c)) }
  elsif ($kind eq 'g') { my $r = getsockopt($fd, $a, $b); $ok = defined $r; $out = $r if $ok }
  print $ok ? 0 : $! + 0, ' ', unpack('H*', $out), "\\n";
}
`;

const PYTHON = `
import fcntl, os, socket, sys
for call in sys.argv[1:]:
    kind, a, b, c = (call.split(':') + ['', '', ''])[:4]
    out = b''
    try:
        if kind == 'v':
            fcntl.ioctl(3, int(a), int(b))
        elif kind == 'b':
            out = bytearray.fromhex(b)
            fcntl.ioctl(3, int(a), out)
        else:
            s = socket.socket(fileno=os.dup(3))
            if kind == 's':
                s.setsockopt(int(a), int(b), int(c))
            else:
                out = s.getsockopt(int(a), int(b), 4)
            s.close()
        print(0, bytes(out).hex())
    except OSError as e:
        print(e.errno, '')
`;

const HELPERS = [
  { program: 'perl', flag: '-e', script: PERL },
  { program: 'python3', flag: '-c', script: PYTHON },
];

/** Longest a helper may take, in ms; it does nothing that can block for long. */
const HELPER_TIMEOUT = 5_000;

function encode(call: DescriptorCall): string {
  switch (call.kind) {
    case 'ioctl-value':
      return `v:${call.request}:${call.value}`;
    case 'ioctl-bytes':
      return `b:${call.request}:${Buffer.from(call.bytes).toString('hex')}`;
    case 'setsockopt':
      return `s:${call.level}:${call.option}:${call.value}`;
    case 'getsockopt':
      return `g:${call.level}:${call.option}`;
  }
}

/**
 * Makes the calls in order on `fd` and returns one result for each. A failing call does not stop the later ones.
 * Throws {@link HelperMissingError} when no helper runs. Arguments are visible in the process list: no secrets.
 */
export function callOnDescriptor(fd: number, calls: readonly DescriptorCall[]): DescriptorResult[] {
  const reasons: string[] = [];
  for (const { program, flag, script } of HELPERS) {
    const run = spawnSync(program, [flag, script, ...calls.map(encode)], {
      stdio: ['ignore', 'pipe', 'pipe', fd],
      timeout: HELPER_TIMEOUT,
      encoding: 'latin1',
    });
    if (run.error !== undefined || run.status !== 0) {
      reasons.push(`${program}: ${run.error?.message ?? (run.stderr.trim() || `status ${run.status}`)}`);
      continue;
    }
    const lines = run.stdout.trim().split('\n');
    if (lines.length !== calls.length) {
      reasons.push(`${program}: answered ${lines.length} of ${calls.length} calls`);
      continue;
    }
    return lines.map((line) => {
      const [errno, hex = ''] = line.split(' ');
      return { errno: Number(errno), bytes: new Uint8Array(Buffer.from(hex, 'hex')) };
    });
  }
  throw new HelperMissingError(`cannot make a system call on a descriptor: ${reasons.join('; ')}`);
}
