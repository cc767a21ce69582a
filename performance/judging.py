"""What asking a paid judge takes: `python performance/judging.py [CALLS]`.

The paper's judgements (1,782 terms, 8 models, 2 judges: 28,512 calls) against a server on loopback, in a
process of its own, that answers each after 200 ms, 64 at a time: by our judge, with its journal, and by the
plain SDK in a loop that keeps nothing. The ideal is calls x latency / connections.
"""

import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "workflow" / "scripts"))

LATENCY, CONNECTIONS, CALLS = 0.2, 64, 28_512
LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
SAID = json.dumps({"reasoning": "It names the organ and the inflammation.", "score": 7})
REPLY = {
    "id": "x",
    "object": "chat.completion",
    "created": 0,
    "model": "judge-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 400, "completion_tokens": 20, "total_tokens": 420},
}


async def serve() -> None:
    """Chat completions, as much of HTTP as the SDK needs; the port stands on the first line of the output."""
    body = json.dumps(REPLY).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    )

    async def answer(reader, writer):
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # the client has hung up
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(LENGTH.search(request)[1]))
                await asyncio.sleep(LATENCY)
                writer.write(head + body)
                await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def items(calls: int) -> list:
    from lexmerge.judgements.model_judges import Item

    reference = "Inflammation of the kidneys that comes from infections or from the body's own defence. " * 3
    return [Item(f"term {i}", f"用語{i}", reference, f"腎臓の炎症。{i} " * 8) for i in range(calls)]


def ours(url: str, calls: int, folder: str) -> int:
    from lexmerge.common.prompts import load_prompt
    from lexmerge.judgements.model_judges import Judge
    from lexmerge.services.limits import Limits

    os.environ["SOME_KEY"] = "x"
    settings = {
        "provider": "openai",
        "model": "judge-1",
        "base_url": url,
        "key_variable": "SOME_KEY",
        "blind": False,
        "parameters": {"temperature": 0, "max_completion_tokens": 500},
        "mode": "now",
    }
    prompt = load_prompt(PROJECT / "resources/prompts/judgement.txt")
    limits = Limits(connections=CONNECTIONS, requests_per_minute=10**6)
    judge = Judge(settings, prompt, {"source": "en", "target": "ja"}, f"{folder}/journal.jsonl", limits)
    return sum(found.score == 7 for found in judge.outcomes(items(calls)))


def plain(url: str, calls: int, folder: str) -> int:
    import openai
    from lexmerge.common.prompts import load_prompt
    from lexmerge.judgements.model_judges import SCHEMA, filled
    from lexmerge.services.providers.openai import body as body_of

    prompt = load_prompt(PROJECT / "resources/prompts/judgement.txt")

    async def run() -> int:
        client = openai.AsyncOpenAI(base_url=url, api_key="x", max_retries=0)
        turns = asyncio.Semaphore(CONNECTIONS)

        async def ask(item) -> int:
            async with turns:
                text = filled(prompt.text, item, {"source": "en", "target": "ja"})
                parameters = {"temperature": 0, "max_completion_tokens": 500}
                body = body_of("judge-1", *text, "judgement", SCHEMA, parameters)
                reply = await client.chat.completions.create(**body)
                return json.loads(reply.choices[0].message.content)["score"]

        return sum(score == 7 for score in await asyncio.gather(*map(ask, items(calls))))

    return asyncio.run(run())


def one(kind: str, url: str, calls: int) -> None:
    """Run one kind and print what it took as a line of JSON."""
    with tempfile.TemporaryDirectory() as folder:
        {"ours": ours, "plain SDK": plain}[kind](url, 64, folder)  # connections are open, modules loaded
        began, before = time.perf_counter(), time.process_time()
        scored = {"ours": ours, "plain SDK": plain}[kind](url, calls, f"{folder}/n")
    seconds, cpu = time.perf_counter() - began, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(json.dumps({"scored": scored, "seconds": seconds, "cpu": cpu, "peak": peak}))


def measure(calls: int) -> None:
    ideal = calls * LATENCY / CONNECTIONS
    print(f"{calls} calls, {LATENCY * 1000:.0f} ms each, {CONNECTIONS} at a time: at best {ideal:.0f} s\n")
    print("| | wall, s | of the ideal | CPU a call, ms | peak, MB | scored |\n|---|---|---|---|---|---|")
    for kind in ("ours", "plain SDK"):
        with subprocess.Popen(
            [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
        ) as server:
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            command = [sys.executable, __file__, "--one", kind, url, str(calls)]
            done = subprocess.run(command, capture_output=True, text=True)
            server.kill()
        if done.returncode:
            raise SystemExit(done.stderr)
        took = json.loads(done.stdout.splitlines()[-1])
        cells = (
            f"{took['seconds']:.0f}",
            f"{took['seconds'] / ideal:.2f}",
            f"{1000 * took['cpu'] / calls:.2f}",
            f"{took['peak']:.0f}",
            str(took["scored"]),
        )
        print("| " + " | ".join((kind, *cells)) + " |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve())
    elif sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else CALLS)
