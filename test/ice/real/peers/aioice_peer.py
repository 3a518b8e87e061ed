"""An ICE agent of aioice behind the lines of `peer.ts`."""

import asyncio
import json
import sys

import aioice


def address(text):
    host, _, port = text.partition(":")
    return (host, int(port)) if text else None


def tell(**line):
    print(json.dumps(line), flush=True)


async def main():
    role, stun, turn, username, password = (sys.argv[1:] + [""] * 5)[:5]
    connection = aioice.Connection(
        ice_controlling=role == "controlling",
        stun_server=address(stun),
        turn_server=address(turn),
        turn_username=username or None,
        turn_password=password or None,
        use_ipv6=False,
    )
    tell(ufrag=connection.local_username, pwd=connection.local_password)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def connect():
        try:
            await connection.connect()
        except ConnectionError as error:
            tell(state=f"failed {error}")
            return
        tell(state="connected")
        while True:
            tell(received=(await connection.recv()).decode())

    tasks = []
    while line := await reader.readline():
        line = json.loads(line)
        if "ufrag" in line:
            connection.remote_username = line["ufrag"]
            connection.remote_password = line["pwd"]
            await connection.gather_candidates()
            for candidate in connection.local_candidates:
                tell(candidate="candidate:" + candidate.to_sdp())
            tell(end=True)
        if "candidate" in line:
            # It knows no extension attributes but these.
            text = line["candidate"].removeprefix("candidate:").split(" ufrag ")[0]
            await connection.add_remote_candidate(aioice.Candidate.from_sdp(text))
        if "end" in line:
            await connection.add_remote_candidate(None)
            tasks.append(asyncio.ensure_future(connect()))
        if "send" in line:
            await connection.send(line["send"].encode())


asyncio.run(main())
