"""What the application holds for its handlers."""

from aiohttp import web

from trunkline.gateway import Gateway
from trunkline.running import RunningCalls
from trunkline_bridge.arrivals import SendingTime
from trunkline_bridge.body import BodyBudget
from trunkline_bridge.settings import BridgeSettings

GATEWAY: web.AppKey[Gateway] = web.AppKey("gateway", Gateway)
SETTINGS = web.AppKey("settings", BridgeSettings)
BODIES = web.AppKey("bodies", BodyBudget)
SENDING = web.AppKey("sending", SendingTime)
RUNNING = web.AppKey("running", RunningCalls)
