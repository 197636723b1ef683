"""One live conversation: hearing, turn-taking, speaking, the media clock, the WebRTC peer."""
