"""SIP without sockets: messages, transactions, dialogs; `transport` alone does I/O."""
