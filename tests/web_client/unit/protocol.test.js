import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutMulticastNames } from '../../../web_client/call.js';
import { ParleyError, asParleyError, errorFromResponse } from '../../../web_client/errors.js';
import { errorText, translator } from '../../../web_client/i18n.js';
import { microphoneProblem } from '../../../web_client/microphone.js';
import { chatMessage, newId, parseEvent, sessionOf } from '../../../web_client/protocol.js';
import { strings } from '../../../web_client/page/strings.js';

test('only what was wished for is asked for', () => {
  assert.deepEqual(sessionOf({}), { type: 'realtime' });
  assert.deepEqual(sessionOf({ persona: 'mei', language: 'zh', voice: 'x', speed: 1.2, eagerness: 'high', instructions: 'Be brief.' }), {
    type: 'realtime',
    instructions: 'Be brief.',
    audio: {
      input: { transcription: { language: 'zh' }, turn_detection: { type: 'semantic_vad', eagerness: 'high' } },
      output: { voice: 'x', speed: 1.2 },
    },
    avatar: { persona: 'mei', language: 'zh' },
  });
});

test('what is not an event is not one', () => {
  for (const data of ['', 'null', '7', '[]', '{}', '{"type":1}', '{"type":"x"', new ArrayBuffer(2)]) {
    assert.equal(parseEvent(data), null, String(data));
  }
  assert.deepEqual(parseEvent('{"type":"avatar.pong"}'), { type: 'avatar.pong' });
});

test('ids differ and fit the protocol', () => {
  assert.match(newId('item'), /^item_[0-9a-f]{20}$/);
  assert.notEqual(newId('item'), newId('item'));
});

test('a typed message asks for its answer', () => {
  assert.deepEqual(chatMessage('Hi', 'item_1').map((event) => event.type), ['conversation.item.create', 'response.create']);
});

test('names that only multicast DNS resolves are taken out of the offer', () => {
  const host = 'a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host';
  const name = 'a=candidate:2 1 udp 2122260223 0b5a1f7e-6b1d-4b6e-9d6f-1234.local 50001 typ host generation 0';
  assert.equal(withoutMulticastNames(['v=0', host, name, ''].join('\r\n')), ['v=0', host, ''].join('\r\n'));
});

test('a refusal carries the code and the wish to wait of the server', async () => {
  const body = JSON.stringify({ error: { code: 'busy', message: 'All 8 places are taken.' } });
  const error = await errorFromResponse(new Response(body, { status: 503, headers: { 'Retry-After': '5' } }));
  assert.deepEqual([error.code, error.message, error.retryable, error.retryAfterMs], ['busy', 'All 8 places are taken.', true, 5000]);
});

test('a proxy that answers HTML, and a server that says nothing', async () => {
  const gateway = await errorFromResponse(new Response('<h1>502</h1>', { status: 502, statusText: 'Bad Gateway' }));
  assert.deepEqual([gateway.code, gateway.message, gateway.retryable], ['server_error', 'The server answered 502 Bad Gateway', true]);
  const refusal = await errorFromResponse(new Response('{"error": "no"}', { status: 401 }));
  assert.deepEqual([refusal.code, refusal.retryable], ['invalid_api_key', false]);
});

test('any thrown thing becomes an error with a code', () => {
  const known = new ParleyError('busy', 'Busy.');
  assert.equal(asParleyError(known), known);
  assert.deepEqual([asParleyError('x').code, asParleyError(new Error('y')).message], ['network', 'y']);
});

test('microphone refusals are told apart', () => {
  const codes = ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'Whatever'].map((name) => microphoneProblem(name, null).code);
  assert.deepEqual(codes, ['microphone_denied', 'microphone_absent', 'microphone_busy', 'microphone_failed']);
});

test('labels follow the language, and unknown errors keep the server\'s words', () => {
  assert.equal(translator('zh-Hans-CN')('start'), '开始对话');
  assert.equal(translator('de')('start'), 'Start talking');
  assert.equal(translator('en')('portraitOf', { name: 'Mei' }), 'Portrait of Mei');
  assert.equal(errorText('zh', { code: 'network', message: 'x' }), '无法连接服务器，请检查网络后重试。');
  assert.equal(errorText('en', { code: 'model_unavailable', message: 'The model is away.' }), 'The model is away.');
  assert.equal(errorText('en', { code: '__proto__', message: 'm' }), 'm');
  assert.equal(strings('zh')('headline', { name: 'Mei' }), '和Mei聊聊。');
});
