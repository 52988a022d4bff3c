// A voice agent of @openai/agents, and a note of all that it was sent and made of it.
//
// AGENTS_HOME names the folder that the packages are installed in.
import { createRequire } from 'node:module';
import path from 'node:path';

const home = process.env.AGENTS_HOME;
export const load = createRequire(path.join(home, 'package.json'));

const { RealtimeAgent, RealtimeSession, tool } = load('@openai/agents/realtime');
const { z } = load('zod');
const { parseRealtimeEvent } = load(
  path.join(home, 'node_modules/@openai/agents-realtime/dist/openaiRealtimeEvents.js'),
);

const LONGEST = 30_000; // ms to wait for any one thing

export class Judge {
  frames = []; // every event's type, in order
  unread = new Set(); // types that the package's own schemas refuse
  tools = []; // tools called, with their arguments
  errors = [];
  interruptions = 0;
  audioBytes = 0;
  #waiting = [];

  constructor(transport) {
    const note = (name, parameters) =>
      tool({
        name,
        description: name,
        parameters,
        execute: async (given) => {
          this.tools.push([name, given]);
          return 'done';
        },
      });
    const agent = new RealtimeAgent({
      name: 'Judge',
      instructions: 'Be brief.',
      tools: [note('hang_up', z.object({})), note('transfer_call', z.object({ target: z.string() }))],
    });
    const turnDetection = { type: 'server_vad', silenceDurationMs: 400, interruptResponse: true };
    this.session = new RealtimeSession(agent, {
      transport,
      model: 'gpt-realtime',
      tracingDisabled: true,
      config: { audio: { input: { turnDetection, transcription: { model: 'whisper-1' } } } },
    });
    this.session.transport.on('*', (frame) => this.#take(frame));
    this.session.on('audio', (audio) => (this.audioBytes += audio.data.byteLength));
    this.session.on('audio_interrupted', () => (this.interruptions += 1));
    this.session.on('error', ({ error }) => this.errors.push(error?.error ?? String(error)));
  }

  #take(frame) {
    this.frames.push(frame.type);
    if (parseRealtimeEvent({ data: JSON.stringify(frame) }).isGeneric) this.unread.add(frame.type);
    this.#waiting = this.#waiting.filter((wait) => !wait(frame));
  }

  // The next event of this type, or the next that passes a test.
  next(type, test = () => true) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`no ${type}; there was ${this.frames.slice(-20)}`)),
        LONGEST,
      );
      this.#waiting.push((frame) => {
        if (frame.type !== type || !test(frame)) return false;
        clearTimeout(late);
        resolve(frame);
        return true;
      });
    });
  }

  // Ask for something and wait for the response to it to be complete.
  async answer(ask, status = 'completed') {
    const done = this.next('response.done', ({ response }) => response.status === status);
    ask();
    return (await done).response;
  }

  // What was said so far: [role, words] of each message, and each call of a tool.
  history() {
    return this.session.history.map((item) =>
      item.type === 'message'
        ? [item.role, item.content.map((part) => part.transcript ?? part.text ?? '').join(' ')]
        : [item.type, item.name],
    );
  }

  report(more = {}) {
    const { frames, tools, errors, interruptions, audioBytes } = this;
    const unread = [...this.unread];
    const usage = this.session.usage;
    const said = { frames, unread, tools, errors, interruptions, audioBytes, usage };
    process.stdout.write(`${JSON.stringify({ ...said, ...more, history: this.history() })}\n`);
  }
}
