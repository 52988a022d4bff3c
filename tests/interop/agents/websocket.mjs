// @openai/agents over a WebSocket: a greeting, a caller who talks over it, a key that ends the call.
//
//   AGENTS_HOME=… node websocket.mjs URL KEY CALLER.pcm     (24 kHz, 16 bit, mono)
import { readFileSync } from 'node:fs';
import { Judge } from './judge.mjs';

const [url, apiKey, speech] = process.argv.slice(2);
const judge = new Judge('websocket');
const { session } = judge;

await session.connect({ url: `${url}?model=gpt-realtime`, apiKey });

const cut = judge.next('response.done', ({ response }) => response.status === 'cancelled');
const sound = judge.next('response.output_audio.delta');
session.transport.requestResponse();
await sound;
const truncated = judge.next('conversation.item.truncated');
const retrieved = judge.next('conversation.item.retrieved');
await judge.answer(() => {
  const pcm = readFileSync(speech);
  for (let at = 0; at < pcm.length; at += 4800) {
    const part = pcm.subarray(at, at + 4800);
    session.sendAudio(part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength));
  }
});
await Promise.all([cut, truncated, retrieved]);

await judge.answer(() => session.sendMessage('[DTMF 9]'));
await judge.next('response.done'); // after the tool's output
session.close();
judge.report();
process.exit(0);
