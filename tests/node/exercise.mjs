// Does what programs do with the official `openai` package against the gateway whose base URL is the first argument,
// and prints what came of it as one line of JSON. Judging it is the caller's part: test_openai_npm.py.
//
// Model "echo" is the gateway's own; model "m" is the caller's scripted provider.

import OpenAI from 'openai';
import { zodResponseFormat, zodFunction } from 'openai/helpers/zod';
import { z } from 'zod';

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'sk-node', maxRetries: 0 });
const retrying = client.withOptions({ maxRetries: 2 });
const say = (content) => [{ role: 'user', content }];
const Place = z.object({ city: z.string(), people: z.number().int() });
const place = '{"city":"Rome","people":2750000}';

const scenarios = {
  async chat() {
    const { data, response, request_id } = await client.chat.completions
      .create({ model: 'echo', messages: say('Hello from Node') })
      .withResponse();
    return {
      object: data.object,
      content: data.choices[0].message.content,
      finish_reason: data.choices[0].finish_reason,
      usage: [data.usage.prompt_tokens, data.usage.completion_tokens, data.usage.total_tokens],
      target: response.headers.get('x-trunkline-target'),
      same_request_id: request_id === data.trunkline.request_id,
    };
  },

  async stream() {
    const stream = await client.chat.completions.create({
      model: 'echo',
      messages: say('one two three'),
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const last = chunks.pop();
    return {
      roles: chunks.map((chunk) => chunk.choices[0].delta.role).filter(Boolean),
      content: chunks.map((chunk) => chunk.choices[0].delta.content ?? '').join(''),
      finish_reasons: chunks.map((chunk) => chunk.choices[0].finish_reason).filter(Boolean),
      ids: new Set([...chunks, last].map((chunk) => chunk.id)).size,
      last: { choices: last.choices, total_tokens: last.usage.total_tokens },
    };
  },

  async tools() {
    const asked = [];
    const runner = client.chat.completions.runTools({
      model: 'echo',
      stream: true,
      messages: say('What about the weather?'),
      tools: [
        zodFunction({
          name: 'weather',
          parameters: z.object({ city: z.string() }),
          function: (given) => {
            asked.push(given);
            return 'sunny and warm';
          },
        }),
      ],
    });
    const content = await runner.finalContent();
    return { asked, content, roles: runner.messages.map((message) => message.role) };
  },

  async parse() {
    const request = { model: 'echo', messages: say(place), response_format: zodResponseFormat(Place, 'place') };
    const whole = await client.chat.completions.parse(request);
    const streamed = await client.chat.completions.stream(request).finalChatCompletion();
    return { whole: whole.choices[0].message.parsed, streamed: streamed.choices[0].message.parsed };
  },

  async parts() {
    const answer = await client.chat.completions.create({
      model: 'm',
      messages: say([
        { type: 'text', text: 'parts' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=', detail: 'low' } },
        { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
      ]),
    });
    return answer.choices[0].message.content;
  },

  async completions() {
    const request = { model: 'echo', prompt: 'an older way' };
    const whole = await client.completions.create(request);
    let streamed = '';
    for await (const piece of await client.completions.create({ ...request, stream: true })) {
      streamed += piece.choices[0].text;
    }
    return { object: whole.object, text: whole.choices[0].text, streamed };
  },

  async models() {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return { listed: ids.includes('echo'), retrieved: (await client.models.retrieve('echo')).id };
  },

  async errors() {
    const failures = {
      unknown_model: () => client.chat.completions.create({ model: 'nobody', messages: say('hi') }),
      bad_parameter: () => client.chat.completions.create({ model: 'echo', messages: say('hi'), temperature: 3 }),
      rejected: () => client.chat.completions.create({ model: 'm', messages: say('reject') }),
      quota: () => retrying.chat.completions.create({ model: 'spent', messages: say('quota') }),
      broken_stream: async () => {
        const stream = await client.chat.completions.create({
          model: 'echo',
          messages: say('one two three'),
          stream: true,
          echo: { cut_after: 2 },
        });
        for await (const chunk of stream) void chunk;
      },
    };
    const found = {};
    for (const [name, act] of Object.entries(failures)) {
      found[name] = await act().then(
        () => null,
        (error) => ({ kind: error.constructor.name, status: error.status ?? null, code: error.code, param: error.param }),
      );
    }
    return found;
  },

  async abort() {
    const stream = await client.chat.completions.create({ model: 'm', messages: say('forever'), stream: true });
    let chunks = 0;
    for await (const chunk of stream) {
      chunks += chunk.choices.length;
      if (chunks === 3) stream.controller.abort();
    }
    return chunks;
  },

  async fifty() {
    const ask = async (number) => {
      const content = `number ${number} of all`;
      const stream = await client.chat.completions.create({
        model: 'echo',
        messages: say(content),
        stream: true,
        echo: { delay_ms: 1 },
      });
      let said = '';
      for await (const chunk of stream) said += chunk.choices[0].delta.content ?? '';
      return said === content;
    };
    const right = await Promise.all(Array.from({ length: 50 }, (_, number) => ask(number)));
    return right.filter(Boolean).length;
  },
};

const found = {};
for (const [name, scenario] of Object.entries(scenarios)) {
  found[name] = await scenario().catch((error) => ({ failed: String(error) }));
}
console.log(JSON.stringify(found));
