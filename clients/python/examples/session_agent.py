"""Three agents in one session: each asks a model that calls a tool; one is left to it, one cancelled, one steered.

    python session_agent.py Oslo Lima Cairo

needs a running gateway (`trunkline serve`); TRUNKLINE_ADDRESS, TRUNKLINE_API_KEY and TRUNKLINE_MODEL say which, as
whom, and what to ask. The built-in model calls the tools that it is told of and repeats what they say.
"""

# ruff: noqa: T201 an example talks by printing

import asyncio
import contextlib
import json
import os
import sys

from trunkline import AsyncClient, AsyncSession, AsyncSessionAnswer, CompleteRequest, GatewayError, text_of
from trunkline.v1 import CompleteResponse, Message, Part, Role, Tool, ToolCall, ToolResult

ADDRESS = os.environ.get("TRUNKLINE_ADDRESS", "localhost:50051")
API_KEY = os.environ.get("TRUNKLINE_API_KEY", "")
MODEL = os.environ.get("TRUNKLINE_MODEL", "echo")

# The built-in model says a word each tenth of a second: time enough to change one's mind. Other models ignore it.
SLOWLY = {"echo": '{"echo": {"delay_ms": 100}}'}


async def main() -> None:
    """Prints what became of each."""
    cities = [*sys.argv[1:], "Oslo", "Lima", "Cairo"][:3]
    async with AsyncClient(ADDRESS, api_key=API_KEY, timeout_s=30) as client, client.session() as session:
        outcomes = await asyncio.gather(
            work(session, cities[0]), give_up(session, cities[1]), steer(session, cities[2]), return_exceptions=True
        )
    for city, outcome in zip(cities, outcomes, strict=True):
        print(f"{city}: {outcome}")


async def work(session: AsyncSession, city: str) -> str:
    """Calls tools until the model has no more to call, and says what it then says."""
    answer = await ask(session, city)
    while calls := calls_in(await answer.answer()):
        answer = await session.append(city, CompleteRequest(messages=[run(call) for call in calls]))
    return text_of(await answer.answer())


async def give_up(session: AsyncSession, city: str) -> str:
    """Cancels the answer at its first words; the gateway closes the provider's connection at once."""
    answer = await ask(session, city)
    results = [run(call) for call in calls_in(await answer.answer())]
    async with await session.append(city, CompleteRequest(messages=results, extensions=SLOWLY)) as answer:
        async for text in answer.texts():
            await answer.cancel()
            print(f"({city} said {text.strip()!r} and was cancelled)")
            break
    try:
        return text_of(await answer.answer())
    except GatewayError as error:
        return f"{type(error).__name__}"


async def steer(session: AsyncSession, city: str) -> str:
    """Interrupts the answer and says what is wanted instead: the turn that was cut off leaves no trace."""
    answer = await ask(session, city)
    results = [run(call) for call in calls_in(await answer.answer())]
    async with await session.append(city, CompleteRequest(messages=results, extensions=SLOWLY)) as answer:
        await anext(answer.texts())
    with contextlib.suppress(GatewayError):  # that it was cancelled
        await answer.answer()
    wish = CompleteRequest(messages=results, prompt=f"{city} in one word, please")
    return text_of(await (await session.append(city, wish)).answer())


async def ask(session: AsyncSession, city: str) -> AsyncSessionAnswer:
    """The first turn of a conversation that has the city's name."""
    parameters = {"type": "object", "properties": {"city": {"const": city}}, "required": ["city"]}
    tool = Tool(name="temperature", description="Degrees in a city", parameters=json.dumps(parameters))
    request = CompleteRequest(model=MODEL, prompt=f"What is the temperature in {city}?", tools=[tool])
    return await session.start(request, conversation=city)


def calls_in(answer: CompleteResponse) -> list[ToolCall]:
    """The calls that the model wants made."""
    return [part.tool_call for part in answer.choices[0].message.parts if part.HasField("tool_call")]


def run(call: ToolCall) -> Message:
    """Runs the tool and gives its result."""
    city = json.loads(call.arguments or "{}").get("city", "nowhere")
    text = f"It is {len(city)} degrees in {city}"
    result = ToolResult(call_id=call.id, parts=[Part(text=text)])
    return Message(role=Role.ROLE_TOOL, parts=[Part(tool_result=result)])


if __name__ == "__main__":
    asyncio.run(main())
