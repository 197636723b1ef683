/** What the page says, in the visitor's language. */

const EN = {
  start: 'Start talking',
  startTyping: 'Type instead',
  cancel: 'Cancel',
  tryAgain: 'Try again',
  connecting: 'Connecting…',
  reconnecting: 'Connection lost. Reconnecting…',
  idle: 'Ready',
  listening: 'Listening',
  thinking: 'Thinking',
  speaking: 'Speaking',
  micMuted: 'Microphone muted',
  micOn: 'Turn on microphone',
  mute: 'Mute microphone',
  unmute: 'Unmute microphone',
  soundOn: 'Turn on sound',
  captions: 'Captions',
  typing: 'Type a message',
  placeholder: 'Type a message…',
  send: 'Send',
  stopSpeaking: 'Stop speaking',
  end: 'End conversation',
  open: 'Talk with us',
  close: 'Close',
  dismiss: 'Dismiss',
  conversation: 'Conversation',
  you: 'You',
  avatar: 'Avatar',
  interrupted: 'interrupted',
  aiMark: 'AI',
  aiNotice: 'You are talking with an AI-generated character.',
  portraitOf: 'Portrait of {name}',
  textOnly: 'You can type instead: the answer is spoken as always.',
  'error.insecure_page': 'Browsers give the microphone only to pages served over HTTPS.',
  'error.unsupported_browser': 'This browser cannot make WebRTC calls. A current Chrome, Edge, Firefox or Safari can.',
  'error.microphone_denied': 'The microphone is blocked for this page. Allow it in the address bar.',
  'error.microphone_absent': 'No microphone was found.',
  'error.microphone_busy': 'Another program is using the microphone.',
  'error.microphone_failed': 'The microphone could not be opened.',
  'error.token_failed': 'This page could not get permission for a conversation. Try again.',
  'error.invalid_api_key': 'This page is not permitted to start a conversation, or its permission has expired.',
  'error.forbidden': 'The server does not serve this page.',
  'error.busy': 'All places are taken at the moment. Please try again in a little while.',
  'error.rate_limit_exceeded': 'Too many tries in a short time. Please wait a minute.',
  'error.server_error': 'The server has a problem. Please try again.',
  'error.network': 'The server cannot be reached. Check your connection and try again.',
  'error.timeout': 'The server did not answer in time. Please try again.',
  'error.media_blocked': 'Sound and picture do not get through. A firewall may be blocking UDP.',
  'error.connection_lost': 'The connection was lost and could not be restored.',
  'error.no_picture': 'The conversation started, but no picture came. Please try again.',
  'error.not_connected': 'There is no conversation yet.',
  'error.idle_timeout': 'The conversation ended because nobody spoke for a while.',
  'error.session_expired': 'The conversation reached its longest time.',
};

/** @typedef {keyof typeof EN} MessageKey */

/** @type {Record<MessageKey, string>} */
const ZH = {
  start: '开始对话',
  startTyping: '打字交流',
  cancel: '取消',
  tryAgain: '重试',
  connecting: '正在连接…',
  reconnecting: '连接中断，正在重新连接…',
  idle: '就绪',
  listening: '正在听',
  thinking: '正在思考',
  speaking: '正在说话',
  micMuted: '麦克风已静音',
  micOn: '打开麦克风',
  mute: '麦克风静音',
  unmute: '取消静音',
  soundOn: '打开声音',
  captions: '字幕',
  typing: '输入消息',
  placeholder: '输入消息…',
  send: '发送',
  stopSpeaking: '停止说话',
  end: '结束对话',
  open: '和我们聊聊',
  close: '关闭',
  dismiss: '关闭提示',
  conversation: '对话',
  you: '你',
  avatar: '数字人',
  interrupted: '被打断',
  aiMark: 'AI',
  aiNotice: '与你对话的是人工智能生成的人物。',
  portraitOf: '{name}的肖像',
  textOnly: '你可以打字，回答仍会说出来。',
  'error.insecure_page': '浏览器只允许通过 HTTPS 打开的页面使用麦克风。',
  'error.unsupported_browser': '此浏览器不支持 WebRTC 通话，请使用新版 Chrome、Edge、Firefox 或 Safari。',
  'error.microphone_denied': '此页面的麦克风权限被阻止，请在地址栏中允许。',
  'error.microphone_absent': '没有找到麦克风。',
  'error.microphone_busy': '麦克风正被其他程序使用。',
  'error.microphone_failed': '无法打开麦克风。',
  'error.token_failed': '此页面未能取得对话许可，请重试。',
  'error.invalid_api_key': '此页面无权开始对话，或许可已过期。',
  'error.forbidden': '服务器不为此页面提供服务。',
  'error.busy': '目前没有空位，请稍后再试。',
  'error.rate_limit_exceeded': '短时间内尝试次数过多，请等一分钟。',
  'error.server_error': '服务器出现问题，请重试。',
  'error.network': '无法连接服务器，请检查网络后重试。',
  'error.timeout': '服务器没有及时响应，请重试。',
  'error.media_blocked': '声音和画面无法传输，可能是防火墙阻止了 UDP。',
  'error.connection_lost': '连接中断，且无法恢复。',
  'error.no_picture': '对话已开始，但没有收到画面，请重试。',
  'error.not_connected': '对话尚未开始。',
  'error.idle_timeout': '长时间无人说话，对话已结束。',
  'error.session_expired': '对话已达到最长时间。',
};

/**
 * @param {string} language BCP 47 tag; what is not known is English
 * @returns {(key: MessageKey, values?: Record<string, string>) => string}
 */
export function translator(language) {
  const messages = /^(zh|cmn|yue)\b/i.test(language) ? ZH : EN;
  return (key, values = {}) => messages[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
}

/**
 * Text for an error: ours in the visitor's language, else what the server wrote.
 * @param {string} language
 * @param {{code: string, message: string}} error
 */
export function errorText(language, { code, message }) {
  const key = `error.${code}`;
  return key in EN ? translator(language)(/** @type {MessageKey} */ (key)) : message;
}
