"""A policy pack for the demo files: no file above a size, and no more of them than a number.

It records its calls as the demo provider does. `DEMO_PACK` has its nature: `fails` raises where it
is to judge, `hangs` does not answer there, `silent` ends before it has said its port.
"""

# ruff: noqa: N802 - names are those of the protocol

import json
import os
import sys
import time
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

NATURE = os.environ.get("DEMO_PACK", "")
CALLS = Path(os.environ["DEMO_DIRECTORY"], "calls.jsonl")
LEVELS = {"size": analyzer_pb2.MANDATORY, "number": analyzer_pb2.MANDATORY}


class Pack(analyzer_pb2_grpc.AnalyzerServicer):
    """It has neither a handshake nor ConfigureStack, as old ones have not."""

    def GetAnalyzerInfo(self, request, context):
        """Return the two policies."""
        information = analyzer_pb2.AnalyzerInfo(name="demo", version="1.2.3", supportsConfig=True)
        for name, level in LEVELS.items():
            policy = information.policies.add(name=name, enforcementLevel=level)
            policy.configSchema.properties["maximum"] = {"type": "integer", "default": 10}
        return information

    def GetPluginInfo(self, request, context):
        """Return the version, for which the CLI asks."""
        return plugin_pb2.PluginInfo(version="1.2.3")

    def Remediate(self, request, context):
        """Change nothing; the CLI asks each pack for it."""
        return analyzer_pb2.RemediateResponse()

    def Configure(self, request, context):
        """Take the levels and the maxima."""
        self.levels = {name: each.enforcementLevel for name, each in request.policyConfig.items()}
        self.maxima = {
            name: MessageToDict(each.properties)["maximum"]
            for name, each in request.policyConfig.items()
            if name in LEVELS
        }
        return Empty()

    def Analyze(self, request, context):
        """Judge the size of a file, and tell of itself with others."""
        properties = MessageToDict(request.properties)
        record("analyze", request.name, props=properties, stack=os.environ["PULUMI_STACK"])
        if NATURE == "fails":
            raise RuntimeError("the pack failed on purpose")
        while NATURE == "hangs":
            time.sleep(60)
        size = properties.get("size", 0)
        if isinstance(size, str) or size <= self.maxima["size"]:
            return analyzer_pb2.AnalyzeResponse()
        return self.told("size", f"{request.name} has {size:.0f} lines", request.urn)

    def AnalyzeStack(self, request, context):
        """Judge the number of files."""
        names = [each.name for each in request.resources if each.type.endswith(":File")]
        record("analyze_stack", ",".join(sorted(names)))
        if len(names) <= self.maxima["number"]:
            return analyzer_pb2.AnalyzeResponse()
        return self.told("number", f"there are {len(names)} files", "")

    def told(self, policy, message, urn):
        """Return a violation, unless its policy is disabled."""
        response = analyzer_pb2.AnalyzeResponse()
        if self.levels[policy] != analyzer_pb2.DISABLED:
            response.diagnostics.add(
                policyName=policy,
                policyPackName="demo",
                message=message,
                enforcementLevel=self.levels[policy],
                urn=urn,
            )
        return response


def record(method, name, **more):
    """Record a call."""
    with CALLS.open("a") as file:
        file.write(json.dumps({"method": method, "name": name, **more}) + "\n")


if NATURE == "silent":
    sys.exit("the pack does not start on purpose")
server = grpc.server(futures.ThreadPoolExecutor(2))
analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Pack(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
while True:
    time.sleep(60)
