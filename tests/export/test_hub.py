"""A run to the hub and back, through huggingface_hub itself and a server that speaks as the hub."""

import base64
import hashlib
import http.server
import json
import shutil
import threading

import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard, constants, hf_api

from jaxsent import commands
from jaxsent.errors import UserError
from jaxsent.export import model_card
from jaxsent.export.hub import push
from jaxsent.prediction.predictor import load

NAME = "mary/wsidnet-tiny"


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of huggingface.co as creating, committing to and reading one model takes."""

    files: dict[str, bytes] = {}
    created: dict = {}

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/api/whoami-v2":
            known = self.headers.get("Authorization") == "Bearer hf_good"
            return self.answer(200 if known else 401, {"name": "mary", "type": "user"})
        if self.path.startswith(f"/{NAME}/resolve/main/"):
            return self.file(self.path.rpartition("/")[2])
        return self.answer(404, {"error": "not found"})

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/api/repos/create":
            self.created.update(json.loads(body))
            return self.answer(200, {"url": f"{constants.ENDPOINT}/{NAME}"})
        if self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False,
                      "oid": None} for f in files]  # fmt: skip
            return self.answer(200, {"files": modes})
        if self.path.endswith("/commit/main"):
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            address = f"{constants.ENDPOINT}/{NAME}/commit/abc"
            return self.answer(200, {"commitUrl": address, "commitOid": "a" * 40})
        if self.path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        return self.answer(404, {"error": "not found"})

    def file(self, name):
        if name not in self.files:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", "a" * 40)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = self.files[name]
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha1(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The handler's class of a hub on this machine, with a token for it and an empty cache."""
    handler = type("Hub", (Hub,), {"files": {}, "created": {}})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_good")
        yield handler
        server.shutdown()
        thread.join()


@pytest.fixture
def run(trained, tiny_config, tmp_path):
    tiny_config.data.dir = str(tiny_config.data.dir)
    return trained(tiny_config, tmp_path / "run")


PHOTO = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)


def test_to_the_hub_and_back(run, hub, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(commands.COMMANDS, "push", "share")
    monkeypatch.setattr("sys.argv", ["jaxsent", "push", str(run), NAME, "--private"])
    assert commands.main() == 0
    assert capsys.readouterr().out.strip() == f"{constants.ENDPOINT}/{NAME}"
    assert hub.created.get("private") or hub.created.get("visibility") == "private"
    assert hub.files.keys() == {
        "README.md", "config.json", "model.jaxexport", "model.onnx", "model.safetensors"
    }  # fmt: skip
    expected = load(run)(PHOTO)
    for engine in ("jax", "onnx", "auto"):
        prediction = load(f"hf:{NAME}", engine=engine)(PHOTO)
        assert prediction.labels == expected.labels
        np.testing.assert_allclose(prediction.probabilities, expected.probabilities, atol=1e-5)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # from the cache
    assert load(f"hf:{NAME}", engine="jax")(PHOTO).labels == expected.labels
    with pytest.raises(UserError, match=r"hf:mary/other: neither in the hub's cache nor reach"):
        load("hf:mary/other")


def test_the_folder_that_would_be_pushed(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(commands.COMMANDS, "push", "share")
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["jaxsent", "push", str(run), NAME, "--out", str(out)])
    assert commands.main() == 0
    assert capsys.readouterr().out.split() == [
        str(out / name) for name in ("model.safetensors", "model.jaxexport", "model.onnx",
                                     "README.md", "config.json")
    ]  # fmt: skip
    config = json.loads((out / "config.json").read_text())
    assert config["data"]["dir"] == str(json.loads((run / "config.json").read_text())["data"]["dir"]
                                      ).rpartition("/")[2]  # fmt: skip
    text = (out / "README.md").read_text()
    assert str(tmp_path) not in text + (out / "config.json").read_text()
    shutil.rmtree(run)
    assert load(out, engine="jax")(PHOTO).labels


def test_the_model_card(run):
    results = json.loads((run / "report" / "results.json").read_text())
    results |= {"accuracy": 0.912, "accuracy_interval": [0.887, 0.933]}
    (run / "report" / "results.json").write_text(json.dumps(results))
    text = model_card.model_card(run, NAME, ("model.onnx",))
    card = ModelCard(text)
    assert card.data.library_name == "jaxsent"
    assert card.data.pipeline_tag == "image-classification"
    assert card.data.license == "other"
    assert card.data.eval_results[0].metric_type == "accuracy"
    assert card.data.eval_results[0].metric_value == 0.912
    assert card.data.eval_results[0].dataset_name == "emoji_scenes/tiny"
    for words in (
        "88.7–93.3", f'jaxsent.load("hf:{NAME}")', "must not be used for", "Intended use",
        "in people who look at it, and in the 8 maps", "CC BY-SA 4.0", "`model.onnx`",
    ):  # fmt: skip
        assert words in text.replace("\N{NARROW NO-BREAK SPACE}", " "), words
    assert "$" not in text
    assert "`model.jaxexport`" not in text
    assert yaml.safe_load(text.split("---")[1])["tags"][-1] == "wsidnet"
    (run / "report" / "results.json").unlink()
    text = model_card.model_card(run, NAME)
    assert "It was not tested" in text
    assert ModelCard(text).data.eval_results is None
    (run / "report" / "results.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read .*; test the run again"):
        model_card.model_card(run, NAME)


def test_what_the_hub_refuses(hub, tmp_path, monkeypatch):
    for name in ("mary", "a/b/c", "/x"):
        with pytest.raises(UserError, match="expected OWNER/NAME"):
            push(tmp_path, name)
    with pytest.raises(UserError, match=r"expected a run's folder with config.json"):
        push(tmp_path, NAME)
    with pytest.raises(UserError, match=r"hf:mary/wsidnet-tiny: no such model, or none of jaxsent"):
        load(f"hf:{NAME}")
    monkeypatch.setenv("HF_TOKEN", "hf_bad")
    with pytest.raises(UserError, match="push .*: the hub refused .*Invalid user token"):
        push(tmp_path, NAME)
    monkeypatch.setattr(hf_api, "get_token", lambda: None)
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(UserError, match="no token; make one at .* or run `hf auth login`"):
        push(tmp_path, NAME)


def test_without_network(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    with pytest.raises(UserError, match="push mary/wsidnet-tiny: the hub cannot be reached"):
        push(tmp_path, NAME)
