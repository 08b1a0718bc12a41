"""A stand-in for Airflow's API that misbehaves: airflow_faults.py PORT WORD,WORD…

Each question about the run takes the next word, the last one stays: 503, 429 (Retry-After: 1), 401, cut (an answer
that breaks off), garbled, or a state of the run.
"""
import http.server
import json
import sys

WORDS = sys.argv[2].split(",")


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, form, *words):
        print(form % words, flush=True)

    def give(self, status, body, headers=(), cut=0):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) + cut))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.give(*(401, b"no") if WORDS == ["401"] and self.path != "/up" else (200, b"{}"))

    def do_GET(self):
        if "/taskInstances" in self.path:
            return self.give(200, b'{"task_instances": [], "total_entries": 0}')
        word = WORDS.pop(0) if len(WORDS) > 1 else WORDS[0]
        if word.isdigit():
            return self.give(int(word), b"no", [("retry-after", "1")] if word == "429" else [])
        if word == "cut":
            return self.give(200, b'{"state": "succ', cut=100)
        body = b"<html>" if word == "garbled" else json.dumps({"state": word}).encode()
        return self.give(200, body)


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
