"""What a Kafka client asks its brokers for, counted on the way to them."""

import asyncio
import collections
import contextlib
import struct
import threading

# https://kafka.apache.org/protocol#protocol_api_keys
NAMES = {
    3: "Metadata",
    18: "ApiVersions",
    19: "CreateTopics",
    20: "DeleteTopics",
    32: "DescribeConfigs",
    37: "CreatePartitions",
    44: "IncrementalAlterConfigs",
    60: "DescribeCluster",
    75: "DescribeTopicPartitions",
}


class Wiretap:
    """A port that passes everything on to a broker, which is to tell clients of this port instead of its own."""

    def __init__(self):
        self.requests = collections.Counter()
        """How many requests of each API were seen."""
        self.port = None
        self.broker = None
        """The port of the broker."""

    async def take(self, reader, writer):
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.broker)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self._requests(reader, back), self._replies(there, writer))

    async def _requests(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                size = await reader.readexactly(4)
                request = await reader.readexactly(*struct.unpack(">i", size))
                [api] = struct.unpack_from(">h", request)
                self.requests[NAMES.get(api, str(api))] += 1
                writer.write(size + request)
                await writer.drain()
        writer.close()

    async def _replies(self, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


@contextlib.contextmanager
def tapped():
    """A wiretap that listens; its broker is to be told."""
    loop, tap = asyncio.new_event_loop(), Wiretap()
    server = loop.run_until_complete(asyncio.start_server(tap.take, "127.0.0.1", 0))
    tap.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield tap
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        # Connections that clients have not closed.
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
