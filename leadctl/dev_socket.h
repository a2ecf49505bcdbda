/*
 * dev_socket.h - listening sockets that are opened once and handed to whoever serves them, so that restarts refuse nobody.
 */
#ifndef LEADLINE_LEADCTL_DEV_SOCKET_H
#define LEADLINE_LEADCTL_DEV_SOCKET_H

#include "common/error.h"

/*
 * Listens on 127.0.0.1.
 *
 * port  0: any free one; in any case the port got
 * Returns the socket, owned by the caller, or -1 with *err.
 */
int dev_listen(int *port, struct error *err);

#endif
