"""The published JSON Schema accepts every scenario of the gallery, every construct of the language and
every documented example.

Needs python3-jsonschema and python3-yaml; without them it says so and is skipped (exit 77).
"""
import glob
import json
import os
import re
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

root = sys.argv[1]
with open(os.path.join(root, "docs/scenario.schema.json"), encoding="utf-8") as file:
    validator = jsonschema.Draft7Validator(json.load(file))

texts = {}
names = glob.glob(os.path.join(root, "scenarios/**/*.yaml"), recursive=True)
names += glob.glob(os.path.join(root, "tests/sim/language/*.yaml"))
names.append(os.path.join(root, "tests/sim/bad/later.yaml"))  # of the language, refused by the reader
for name in names:
    with open(name, encoding="utf-8") as file:
        texts[name] = file.read()
with open(os.path.join(root, "docs/scenarios.md"), encoding="utf-8") as file:
    for number, example in enumerate(re.findall(r"\n```yaml\n(.*?)\n```", file.read(), re.S), 1):
        head = "" if "cluster:" in example else "cluster: {nodes: [1]}\n"
        head += "" if "title:" in example else "title: x\n"
        texts[f"docs/scenarios.md, example {number}"] = head + example

errors = 0
for name in sorted(texts):
    # through JSON, so that keys are texts, as an editor sees them
    document = json.loads(json.dumps(yaml.safe_load(texts[name])))
    for error in validator.iter_errors(document):
        print(f"{name}: {list(error.absolute_path)}: {error.message[:200]}")
        errors += 1
# What is wrong is refused as far as a schema can see it: a key that is none, wherever it stands.
refused = 0
for name in sorted(glob.glob(os.path.join(root, "tests/sim/bad/*.yaml"))):
    with open(name[:-4] + "err", encoding="utf-8") as file:
        if "has no key" not in file.read():
            continue
    with open(name, encoding="utf-8") as file:
        document = json.loads(json.dumps(yaml.safe_load(file)))
    refused += 1
    if validator.is_valid(document):
        print(f"{name}: the schema takes a key that does not exist")
        errors += 1
if refused < 5:
    print(f"{refused} scenarios with a key that does not exist: too few")
    errors += 1
print(f"{len(texts)} scenarios, {refused} wrong ones refused, {errors} errors")
sys.exit(1 if errors else 0)
