# For `node-gyp rebuild` in a clone: CMakeLists.txt builds, this puts the result where gyp's tools expect it. Not in the published
# package: there, Yarn 1 and pnpm 9 would run it at every install, whatever "gypfile" says.
{
  "targets": [
    {
      "target_name": "deep_rnn",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "message": "Building with CMake",
          "inputs": ["CMakeLists.txt"],
          "outputs": ["build-gyp/Release/deep_rnn.node"],
          "action": [
            "npx", "--yes", "-p", "cmake-js@8",
            "cmake-js", "build", "-d", "<(module_root_dir)", "--out", "<(module_root_dir)/build-gyp"
          ]
        }
      ],
      "copies": [{ "destination": "<(PRODUCT_DIR)", "files": ["build-gyp/Release/deep_rnn.node"] }]
    }
  ]
}
