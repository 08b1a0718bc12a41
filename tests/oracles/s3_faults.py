"""A server in front of S3 or DynamoDB that misbehaves: s3_faults.py PORT HOST:PORT MODE

    mixed      now and then: 503 SlowDown, a connection that breaks before or after the work is done,
               an answer that is cut, one that does not come
    dynamodb   the same, with DynamoDB's ways to throttle
    busy, forbidden, unauthorized, throttled, crowded, denied, hanging, broken
               that, each time
"""
import http.client
import http.server
import itertools
import json
import socket
import socketserver
import sys
import time

PORT, UPSTREAM, MODE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
COUNT = itertools.count(1)
# Of each 40, or 100, requests so many go wrong, in this way.
MIXES = {
    "mixed": {3: "busy", 8: "lost", 11: "broken", 16: "cut", 19: "busy", 24: "lost", 27: "slow", 33: "cut", 37: "lost"},
    "dynamodb": {3: "throttled", 18: "lost", 31: "broken", 46: "cut", 59: "crowded", 74: "lost", 83: "throttled", 97: "failed"},
}
REFUSALS = {
    "busy": (503, "SlowDown", "Please reduce your request rate."),
    "forbidden": (403, "AccessDenied", "Access Denied"),
    "unauthorized": (401, "InvalidAccessKeyId", "The key does not exist."),
}
# As DynamoDB says it.
DYNAMODB = {
    "throttled": (400, "ProvisionedThroughputExceededException", "The level of configured provisioned throughput was exceeded."),
    "crowded": (429, "ThrottlingException", "Rate exceeded"),
    "denied": (400, "AccessDeniedException", "You are not authorized."),
    "failed": (500, "InternalServerError", "The request processing has failed."),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, form, *words):
        print(form % words, flush=True)

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/-/up":
            return self.give(200, {}, b"")
        number = next(COUNT)
        mode = MIXES[MODE].get(number % (40 if MODE == "mixed" else 100)) if MODE in MIXES else MODE
        if mode:
            print(f"{number} {mode}", flush=True)
        if mode in REFUSALS:
            status, code, message = REFUSALS[mode]
            text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return self.give(status, {"content-type": "application/xml"}, text.encode())
        if mode in DYNAMODB:
            status, code, message = DYNAMODB[mode]
            text = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message})
            return self.give(status, {"content-type": "application/x-amz-json-1.0"}, text.encode())
        if mode == "hanging":
            time.sleep(60)
        if mode == "broken":
            return self.hang_up()
        upstream = http.client.HTTPConnection(UPSTREAM)
        upstream.request(self.command, self.path, body, dict(self.headers))
        answer = upstream.getresponse()
        content = answer.read()
        if mode == "lost":
            return self.hang_up()
        if mode == "slow":
            time.sleep(3)
        keep = ("etag", "content-type", "content-range", "content-length" if self.command == "HEAD" else "etag")
        headers = {name: value for name, value in answer.getheaders() if name.lower() in keep}
        self.give(answer.status, headers, content, cut=mode == "cut")

    def give(self, status, headers, content, cut=False):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.hang_up()

    def hang_up(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


Server(("127.0.0.1", PORT), Handler).serve_forever()
