#!/bin/sh
# hydra-optuna-sweeper: as pip installs it, a search that is kept in a database ends in an AssertionError.
#
# Versions: hydra-core 1.3.8, hydra-optuna-sweeper 1.3.0, Python 3.11; optuna and SQLAlchemy as pip chooses them (2.10.1
#           and 2.1.9), then optuna 5.0.0; needs python3 and pip.
# Expected: hydra.sweeper.storage=sqlite:///FILE keeps the trials, as the plugin's page says.
# Seen:     1.3.0 asks for optuna below 3, whose last release does not run on SQLAlchemy 2; a search in memory does.
#           The same plugin runs beside optuna 5.0.0, with and without a database, if it is installed without its
#           requirements; of the samplers, motpe is gone there.
# Remedy:   pip install optuna==5.0.0 && pip install --no-deps hydra-optuna-sweeper==1.3.0
#
#| as installed, in memory: 4 trials
#| as installed, in a database: AssertionError
#| beside optuna 5.0.0, in memory: 4 trials
#| beside optuna 5.0.0, in a database: 4 trials
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/app.py" <<'PYTHON'
import hydra


@hydra.main(version_base=None, config_name="conf", config_path=".")
def main(conf):
    return (conf.x - 3) ** 2


main()
PYTHON
cat > "$work/conf.yaml" <<'YAML'
defaults: [override hydra/sweeper: optuna, _self_]
x: 0
hydra: {sweeper: {n_trials: 4, n_jobs: 1, sampler: {seed: 1}, params: {x: "interval(0,5)"}}}
YAML
search() { # name, python, words
  name=$1 python=$2
  shift 2
  "$python" "$work/app.py" -m "hydra.sweep.dir=$work/out" "$@" > "$work/log" 2>&1 || true
  if grep -q "Best value" "$work/log"; then seen="$(grep -c '#[0-9]* : x=' "$work/log") trials"; else
    seen=$(tail -n 1 "$work/log"); fi
  echo "$name: $seen" | tee -a "$work/seen"
}
python3 -m venv "$work/old"
"$work/old/bin/python" -m pip install --quiet hydra-core==1.3.8 hydra-optuna-sweeper==1.3.0
python3 -m venv "$work/new"
"$work/new/bin/python" -m pip install --quiet hydra-core==1.3.8 optuna==5.0.0
"$work/new/bin/python" -m pip install --quiet --no-deps hydra-optuna-sweeper==1.3.0
search "as installed, in memory" "$work/old/bin/python"
search "as installed, in a database" "$work/old/bin/python" "hydra.sweeper.storage=sqlite:///$work/old.db" hydra.sweeper.study_name=a
search "beside optuna 5.0.0, in memory" "$work/new/bin/python"
search "beside optuna 5.0.0, in a database" "$work/new/bin/python" "hydra.sweeper.storage=sqlite:///$work/new.db" hydra.sweeper.study_name=a
sed -n 's/^#| //p' "$0" | diff - "$work/seen" && echo "as stated"
