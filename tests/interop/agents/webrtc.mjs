// @openai/agents over WebRTC: the same caller as in websocket.mjs, but heard and spoken to by RTP.
//
//   AGENTS_HOME=… node webrtc.mjs CALLS_URL KEY CALLER.pcm     (24 kHz, 16 bit, mono)
import { readFileSync } from 'node:fs';
import { Judge, load } from './judge.mjs';

const { MediaStream, RTCPeerConnection, nonstandard } = load('@roamhq/wrtc');
const { OpenAIRealtimeWebRTC } = load('@openai/agents/realtime');
globalThis.RTCPeerConnection = RTCPeerConnection;

const [url, apiKey, speech] = process.argv.slice(2);
const RATE = 24000;
const TEN_MS = RATE / 100;
const LOUD = 1000;

// The caller: silence, unless there is something left to say; 10 ms at a time.
class Caller {
  source = new nonstandard.RTCAudioSource();
  #left = new Int16Array(0);

  constructor() {
    const start = performance.now();
    let sent = 0;
    this.clock = setInterval(() => {
      for (; sent * 10 < performance.now() - start; sent += 1) this.#send();
    }, 10);
  }

  #send() {
    const samples = new Int16Array(TEN_MS);
    samples.set(this.#left.subarray(0, TEN_MS));
    this.#left = this.#left.subarray(TEN_MS);
    const shape = { sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: TEN_MS };
    this.source.onData({ samples, ...shape });
  }

  say(pcm) {
    this.#left = new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.byteLength));
  }
}

// The caller's ear: counts the sound that comes.
const ear = {
  loudMs: 0,
  set srcObject(stream) {
    this.sink = new nonstandard.RTCAudioSink(stream.getAudioTracks()[0]);
    this.sink.ondata = ({ samples }) => {
      if (samples.some((sample) => Math.abs(sample) > LOUD)) this.loudMs += 10;
    };
  },
};

const caller = new Caller();
const mediaStream = new MediaStream([caller.source.createTrack()]);
const judge = new Judge(new OpenAIRealtimeWebRTC({ mediaStream, audioElement: ear }));
const { session } = judge;

await session.connect({ url, apiKey });

const started = judge.next('output_audio_buffer.started');
const cut = judge.next('response.done', ({ response }) => response.status === 'cancelled');
session.transport.requestResponse();
await started;
const greeting = judge.next('output_audio_buffer.cleared');
const truncated = judge.next('conversation.item.truncated');
const stopped = judge.next('output_audio_buffer.stopped');
const answer = judge.answer(() => caller.say(readFileSync(speech)));
const { audio_end_ms: heardMs } = await truncated;
const greetedMs = ear.loudMs;
await Promise.all([cut, greeting, answer, stopped]);

await judge.answer(() => session.sendMessage('[DTMF 9]'));
await judge.next('output_audio_buffer.stopped');
const { callId } = session.transport;
const answeredMs = ear.loudMs - greetedMs;
session.close();
clearInterval(caller.clock);
judge.report({ callId, heardMs, greetedMs, answeredMs });
process.exit(0);
