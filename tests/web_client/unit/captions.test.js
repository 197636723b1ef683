import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Captions, captionPage } from '../../../web_client/captions.js';

/** @type {import('../../../web_client/captions.js').Caption[]} */
let seen;
/** @type {Captions} */
let captions;

beforeEach(() => {
  seen = [];
  captions = new Captions((caption) => seen.push(caption));
});

const word = (text, at, delay = 0) =>
  captions.receive({ type: 'avatar.caption', response_id: 'resp_1', item_id: 'item_a', text, start_ms: 0, end_ms: 1 }, at, delay);

test('a word is held back until its sound is heard', () => {
  word('Hello ', 1000, 80);
  assert.deepEqual(seen, []);
  assert.equal(captions.nextMs, 1080);
  captions.advance(1079);
  assert.deepEqual(seen, []);
  captions.advance(1080);
  assert.equal(seen.at(-1)?.text, 'Hello ');
  assert.equal(captions.nextMs, null);
});

test('words keep their order when the delay shrinks', () => {
  word('one ', 1000, 100);
  word('two', 1010, 0);
  captions.advance(1099);
  assert.deepEqual(seen, []);
  captions.advance(1100);
  assert.equal(seen.at(-1)?.text, 'one two');
});

test('a completed answer ends with its whole text', () => {
  captions.receive({ type: 'response.created', response: { id: 'resp_1' } }, 0);
  word('Hello', 0);
  captions.receive({ type: 'response.output_audio_transcript.done', response_id: 'resp_1', item_id: 'item_a', transcript: 'Hello, friend.' }, 1);
  captions.receive({ type: 'response.done', response: { id: 'resp_1', status: 'completed' } }, 2);
  captions.advance(3);
  assert.equal(seen.at(-1)?.final, false, 'the sound is not over yet');
  captions.receive({ type: 'output_audio_buffer.stopped', response_id: 'resp_1' }, 4);
  captions.advance(4);
  assert.deepEqual(seen.at(-1), { id: 'item_a', role: 'assistant', text: 'Hello, friend.', final: true, interrupted: false });
});

test('an answer that is made before its sound begins waits for the sound', () => {
  captions.receive({ type: 'response.output_item.added', response_id: 'resp_1', item: { id: 'item_a' } }, 0);
  captions.receive({ type: 'response.output_audio_transcript.done', response_id: 'resp_1', item_id: 'item_a', transcript: 'Yes.' }, 1);
  captions.receive({ type: 'response.done', response: { id: 'resp_1', status: 'completed' } }, 2);
  captions.advance(1000);
  assert.deepEqual(seen, []);
  word('Yes.', 1001);
  captions.advance(1001);
  assert.equal(seen.at(-1)?.text, 'Yes.');
});

test('an interrupted answer keeps what was heard', () => {
  word('Hello ', 0);
  captions.receive({ type: 'response.output_audio_transcript.done', response_id: 'resp_1', item_id: 'item_a', transcript: 'Hello, friend.' }, 1);
  captions.receive({ type: 'output_audio_buffer.cleared', response_id: 'resp_1' }, 2);
  captions.receive({ type: 'response.done', response: { id: 'resp_1', status: 'cancelled' } }, 3);
  captions.advance(3);
  assert.deepEqual(seen.at(-1), { id: 'item_a', role: 'assistant', text: 'Hello', final: true, interrupted: true });
  word('friend', 5);
  captions.advance(5);
  assert.equal(captions.all[0].text, 'Hello', 'a late word of an ended answer is not shown');
});

test('an answer without captions or sound is shown from its text', () => {
  captions.receive({ type: 'response.output_text.delta', response_id: 'resp_2', item_id: 'item_t', delta: 'Hi' }, 0);
  captions.receive({ type: 'response.output_text.done', response_id: 'resp_2', item_id: 'item_t', text: 'Hi there' }, 1);
  assert.deepEqual(captions.all, [{ id: 'item_t', role: 'assistant', text: 'Hi there', final: true, interrupted: false }]);
});

test('a voice turn appears at once, grows, and is replaced by the final transcript', () => {
  captions.receive({ type: 'input_audio_buffer.speech_started', item_id: 'item_u' }, 0);
  assert.deepEqual(seen.at(-1), { id: 'item_u', role: 'user', text: '', final: false, interrupted: false });
  const kind = 'conversation.item.input_audio_transcription';
  captions.receive({ type: `${kind}.delta`, item_id: 'item_u', delta: 'what is' }, 0);
  captions.receive({ type: `${kind}.delta`, item_id: 'item_u', delta: ' partly' }, 0);
  assert.equal(seen.at(-1)?.text, 'what is partly');
  captions.receive({ type: `${kind}.completed`, item_id: 'item_u', transcript: 'What is Parley?' }, 0);
  assert.deepEqual(seen.at(-1), { id: 'item_u', role: 'user', text: 'What is Parley?', final: true, interrupted: false });
});

test('a cough leaves nothing behind', () => {
  captions.receive({ type: 'input_audio_buffer.speech_started', item_id: 'item_u' }, 0);
  captions.receive({ type: 'conversation.item.input_audio_transcription.completed', item_id: 'item_u', transcript: '' }, 0);
  assert.equal(seen.at(-1)?.final, true);
  assert.deepEqual(captions.all, []);
});

test('a typed message is shown once, though the server repeats it', () => {
  captions.typed('item_1', 'Hello');
  captions.receive({
    type: 'conversation.item.added',
    item: { id: 'item_1', type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
  }, 0);
  assert.equal(captions.all.length, 1);
});

test('a lost connection ends what was open, and shows what is known', () => {
  captions.receive({ type: 'input_audio_buffer.speech_started', item_id: 'item_u' }, 0);
  word('Hel', 0, 500);
  captions.close();
  assert.deepEqual(captions.all, [{ id: 'item_a', role: 'assistant', text: 'Hel', final: true, interrupted: true }]);
  assert.equal(captions.nextMs, null);
});

test('nonsense from a server changes nothing', () => {
  captions.receive({ type: 'avatar.caption' }, 0);
  captions.receive({ type: 'response.done' }, 0);
  captions.receive({ type: 'conversation.item.added' }, 0);
  captions.receive({ type: 'conversation.item.deleted', item_id: 7 }, 0);
  captions.receive({ type: 'conversation.item.input_audio_transcription.delta', item_id: 'x', delta: { toString: null } }, 0);
  captions.advance(1);
  assert.deepEqual(captions.all, []);
});

test('a long answer turns the page at its sentences', () => {
  const first = 'Parley gives a conversation a face, live, in a web page.';
  assert.equal(captionPage(first), first);
  assert.equal(captionPage(`${first} It costs $3.50 `), 'It costs $3.50');
  assert.equal(captionPage('Hello. I am Dr. Helen.'), 'Hello. I am Dr. Helen.');
  assert.equal(captionPage(`He said “${first}” Then`), 'Then');
  assert.equal(captionPage(`${'这是一个很长的句子，'.repeat(6)}完了。“是吗？”她问`), '“是吗？”她问');
  assert.equal(captionPage(''), '');
});
